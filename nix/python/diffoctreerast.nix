# The octree rasteriser: used by TRELLIS when a radiance field is rendered.
{
  lib,
  buildCudaExtension,
  src,
  glm,
  version,
}:
buildCudaExtension {
  pname = "diffoctreerast";
  inherit version src;
  # The submodule, which a github input leaves out, and the version that setup.py leaves out.
  postPatch = ''
    rm -rf lib/glm
    mkdir -p lib
    ln -s ${glm} lib/glm
    substituteInPlace setup.py --replace-fail 'name="diffoctreerast",' 'name="diffoctreerast", version="0",'
  '';
  pythonImportsCheck = [ "diffoctreerast" ];
  meta = {
    description = "Differentiable octree rasteriser";
    homepage = "https://github.com/JeffreyXiang/diffoctreerast";
    license = lib.licenses.mit;
  };
}
