//! Files of Nix itself, the program.

// until narinfo
