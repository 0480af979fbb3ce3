# The Gaussian rasteriser of mip-splatting: TRELLIS renders its Gaussians with it to texture a GLB.
{
  lib,
  buildCudaExtension,
  src,
  version,
}:
buildCudaExtension {
  pname = "diff-gaussian-rasterization";
  inherit version src;
  # The rest of the repository is the paper's training code.
  sourceRoot = "source/submodules/diff-gaussian-rasterization";
  # setup.py names no version, and 0.0.0 in the metadata would hide which one this is.
  postPatch = ''
    substituteInPlace setup.py --replace-fail \
      'name="diff_gaussian_rasterization",' \
      'name="diff_gaussian_rasterization", version="0",'
    # Built files that upstream committed.
    rm -rf *.egg-info
  ''
  # Integer types that newer C++ standard libraries no longer bring along with <iostream>.
  + ''
    sed -i '1i #include <cstdint>' cuda_rasterizer/rasterizer_impl.h
  '';
  pythonImportsCheck = [ "diff_gaussian_rasterization" ];
  meta = {
    description = "Differentiable rasteriser of 3D Gaussians, mip-splatting's variant";
    homepage = "https://github.com/autonomousvision/mip-splatting";
    # Inria and MPII: research and evaluation only.
    license = lib.licenses.unfree;
  };
}
