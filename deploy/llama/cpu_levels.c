// Which of the two builds of ggml's CPU back end in libggml-cpu.a computes: the one for AVX-512 with
// bfloat16 where the processor has it, else the one for AVX2 (x86-64-v3). CRUCIBLE_CPU=x86-64-v3 asks for
// the latter, so that machines of both kinds give the same bytes. ggml's own choice at run time
// (GGML_CPU_ALL_VARIANTS) needs shared libraries beside the program; this one does not.
#include <stdlib.h>
#include <string.h>

#include "ggml-backend.h"

ggml_backend_reg_t v3_ggml_backend_cpu_reg(void);
ggml_backend_reg_t v4_ggml_backend_cpu_reg(void);

static int has_v4(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi") &&
         __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
}

ggml_backend_reg_t ggml_backend_cpu_reg(void) {
  const char* asked = getenv("CRUCIBLE_CPU");
  const int lowest = asked != NULL && strcmp(asked, "x86-64-v3") == 0;
  return !lowest && has_v4() ? v4_ggml_backend_cpu_reg() : v3_ggml_backend_cpu_reg();
}
