# torch and what comes with it: one package a wheel. The libraries that torch's metadata names
# (`nvidia-*`) are exactly these wheels, so that machine code and versions are those of pins.json.
{
  lib,
  pyFinal,
  wheels,
  pkgs,
}:
let
  wheel =
    name: arguments:
    pyFinal.callPackage ./wheel.nix (
      {
        inherit name;
        pin = wheels.${name};
      }
      // arguments
    );

  # Which of the others each NVIDIA wheel names in its metadata, and links to or opens.
  nvidiaLinks = {
    nvidia-cudnn-cu12 = [ "nvidia-cublas-cu12" ];
    nvidia-cufft-cu12 = [ "nvidia-nvjitlink-cu12" ];
    nvidia-cusolver-cu12 = [
      "nvidia-cublas-cu12"
      "nvidia-cusparse-cu12"
      "nvidia-nvjitlink-cu12"
    ];
    nvidia-cusparse-cu12 = [ "nvidia-nvjitlink-cu12" ];
  };
  # Transports of computers with InfiniBand or MPI; loaded only where they are asked for.
  ignored = {
    nvidia-cufile-cu12 = [
      "libmlx5.so.1"
      "librdmacm.so.1"
      "libibverbs.so.1"
    ];
    nvidia-nvshmem-cu12 = [
      "libmlx5.so.1"
      "libmpi.so.40"
      "liboshmem.so.40"
      "libpmix.so.2"
      "libucp.so.0"
      "libucs.so.0"
      "libfabric.so.1"
    ];
  };

  libraryFolder =
    part:
    let
      package = pyFinal."nvidia-${lib.replaceStrings [ "_" ] [ "-" ] part}-cu12";
    in
    "${package}/${pyFinal.python.sitePackages}/nvidia/${part}/lib";

  nvidiaNames = lib.filter (lib.hasPrefix "nvidia-") (lib.attrNames wheels);
  nvidia = lib.genAttrs nvidiaNames (
    name:
    wheel name rec {
      linksTo = map (other: pyFinal.${other}) (nvidiaLinks.${name} or [ ]);
      dependencies = linksTo;
      namespaces = [ "nvidia" ];
      # Libraries only: torch, which loads all of them, has the import check.
      imports = [ ];
      ignoredLibraries = ignored.${name} or [ ];
      libraries = lib.optional (name == "nvidia-cudnn-cu12") pkgs.zlib;
      # cuDNN opens cuBLAS, and NVRTC for the engines it compiles as it goes.
      opens = lib.optionals (name == "nvidia-cudnn-cu12") [
        (libraryFolder "cublas")
        (libraryFolder "cuda_nvrtc")
      ];
      license = lib.licenses.nvidiaCudaRedist or lib.licenses.unfreeRedistributable;
    }
  );
  nvidiaLibraries = map (name: pyFinal.${name}) nvidiaNames;
in
nvidia
// {
  triton = wheel "triton" {
    imports = [
      "triton"
      "triton._C.libtriton"
    ];
    libraries = [ pkgs.zlib ];
    license = lib.licenses.mit;
  };

  torch = wheel "torch" {
    imports = [ "torch" ];
    dependencies = nvidiaLibraries ++ [
      pyFinal.filelock
      pyFinal.fsspec
      pyFinal.jinja2
      pyFinal.networkx
      pyFinal.setuptools
      pyFinal.sympy
      pyFinal.triton
      pyFinal.typing-extensions
    ];
    linksTo = nvidiaLibraries;
    # Belongs to the machine's driver: the wrapper brings it at run time.
    ignoredLibraries = [ "libcuda.so.1" ];
    license = lib.licenses.bsd3;
    passthru = {
      inherit nvidiaLibraries;
      cudaSupport = true;
      cudaPackages = pyFinal.cudaPackages;
    };
  };

  torchvision = wheel "torchvision" {
    imports = [ "torchvision" ];
    # Imports without its library, and says so when an operator is called.
    proof = "import torchvision.extension; torchvision.extension._assert_has_ops()";
    dependencies = [
      pyFinal.numpy
      pyFinal.pillow
      pyFinal.torch
    ];
    linksTo = [ pyFinal.torch ] ++ nvidiaLibraries;
    license = lib.licenses.bsd3;
  };
}
