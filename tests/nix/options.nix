# The module's options as JSON, in a warning: of what the harness prints, that is the part a
# configuration can write freely.
{ lib, options, ... }:
{
  warnings = [ (builtins.toJSON (lib.optionAttrSetToDocList options.services.trellis-server)) ];
}
