FLEX_GEMM_ALGO = "masked_implicit_gemm_splitk"
