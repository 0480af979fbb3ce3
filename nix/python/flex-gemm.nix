# FlexGEMM: TRELLIS.2's sparse convolutions, by kernels of Triton's. Its setup.py writes a table of tuned sizes into the
# home, which a build has as a folder of its own (cuda-extension.nix).
{
  lib,
  buildCudaExtension,
  filelock,
  python,
  triton,
  src,
  version,
}:
buildCudaExtension {
  pname = "flex-gemm";
  inherit version src;
  dependencies = [
    filelock
    triton
  ];
  # Importing the package asks the GPU for its name, and a build has none: the compiled part is loaded by itself.
  checkPhase = ''
    runHook preInstallCheck
    ${python.interpreter} ${./load-extension.py} "$out/${python.sitePackages}/flex_gemm/kernels/cuda"
    runHook postInstallCheck
  '';
  meta = {
    description = "Sparse convolutions on the GPU";
    homepage = "https://github.com/JeffreyXiang/FlexGEMM";
    license = lib.licenses.mit;
  };
}
