#pragma once

// Run-time choice of instruction set for plain loops: the compiler makes one copy of the function
// for each level and the loader picks by CPU. The translation unit must be built with
// -ffp-contract=off, so that every copy rounds at the same places and all give the same bytes. Off
// under sanitizers (their run time is not ready when the loader picks) and elsewhere than GCC on
// x86-64.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CRUCIBLE_CPU_LEVELS [[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]]
#else
#define CRUCIBLE_CPU_LEVELS
#endif
