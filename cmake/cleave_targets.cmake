# How floors, stages, checks and fuzzers are built.

# Flags of all our own code. -ffp-contract=off: a*b+c is two roundings unless the source says fma, so the same
# bits on every CPU. No -march: kernels choose at run time.
add_library(cleave_flags INTERFACE)
target_compile_features(cleave_flags INTERFACE c_std_11)
target_compile_definitions(cleave_flags INTERFACE _POSIX_C_SOURCE=200809L _FILE_OFFSET_BITS=64
  CLEAVE_VERSION="${PROJECT_VERSION}")
target_compile_options(cleave_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  -Wmissing-prototypes -Wstrict-prototypes -Wvla -ffp-contract=off -fno-math-errno
  $<$<BOOL:${CLEAVE_WERROR}>:-Werror>)
if(CLEAVE_FAULTS)
  target_compile_definitions(cleave_flags INTERFACE CLEAVE_FAULTS)
endif()
if(CLEAVE_SANITIZE)
  target_compile_options(cleave_flags INTERFACE -fsanitize=${CLEAVE_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(cleave_flags INTERFACE -fsanitize=${CLEAVE_SANITIZE})
endif()
set(CMAKE_C_EXTENSIONS OFF)

# add_floor(NAME FILES a.c ... USES floor_or_library ...)
# A floor sees its own headers and those of the floors it uses; file stems are unique in the tree, so an include
# that points upward does not compile.
function(add_floor name)
  cmake_parse_arguments(FLOOR "" "" "FILES;USES" ${ARGN})
  add_library(${name} STATIC ${FLOOR_FILES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/include/${name})
  target_link_libraries(${name} PUBLIC cleave_flags ${FLOOR_USES})
endfunction()

# add_stage(NAME FILES a.c ... USES floor ...): the program cleave-NAME (or cleave itself).
function(add_stage name)
  cmake_parse_arguments(STAGE "" "" "FILES;USES" ${ARGN})
  add_executable(${name} ${STAGE_FILES})
  target_link_libraries(${name} PRIVATE ${STAGE_USES} m)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  add_dependencies(programs ${name})
endfunction()

# add_check(STEM LINK floor ... [RANKS 1 2 3 4] [TIMEOUT seconds] [FILES more.c])
# tests/<here>/test_STEM.c under mpirun once for each rank count; without RANKS as a plain process.
function(add_check stem)
  cmake_parse_arguments(CHECK "" "TIMEOUT" "RANKS;LINK;FILES" ${ARGN})
  if(NOT CHECK_TIMEOUT)
    set(CHECK_TIMEOUT 120)
  endif()
  if(CLEAVE_SANITIZE) # sanitized programs are slow, on a busy machine slower
    math(EXPR CHECK_TIMEOUT "5 * ${CHECK_TIMEOUT}")
  endif()
  add_executable(check_${stem} test_${stem}.c ${CHECK_FILES})
  target_include_directories(check_${stem} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(check_${stem} PRIVATE ${CHECK_LINK} check_runner m)
  set_target_properties(check_${stem} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/checks)
  if(CHECK_RANKS)
    set(several ${CHECK_RANKS})
    list(FILTER several EXCLUDE REGEX "^1$")
    list(APPEND several 1)
    list(GET several 0 watched)
    foreach(ranks IN LISTS CHECK_RANKS)
      set(leaks)
      if(ranks EQUAL watched)
        set(leaks LEAKS)
      endif()
      add_test(NAME ${stem}.${ranks} COMMAND ${MPIEXEC_EXECUTABLE} -n ${ranks} --oversubscribe
        $<TARGET_FILE:check_${stem}>)
      set_tests_properties(${stem}.${ranks} PROPERTIES TIMEOUT ${CHECK_TIMEOUT})
      cleave_test_environment(${stem}.${ranks} ${leaks})
    endforeach()
  else()
    add_test(NAME ${stem} COMMAND check_${stem})
    set_tests_properties(${stem} PROPERTIES TIMEOUT ${CHECK_TIMEOUT})
    cleave_test_environment(${stem} LEAKS)
  endif()
endfunction()

# add_script_check(NAME SCRIPT.sh|.py [arguments...]): a script test; finds programs in $CLEAVE_BIN.
function(add_script_check name script)
  add_test(NAME ${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/${script} ${ARGN})
  set_tests_properties(${name} PROPERTIES TIMEOUT 1800 SKIP_RETURN_CODE 77 COST 100) # long: first
  cleave_test_environment(${name})
endfunction()

# Leaks that are not ours are known by what called malloc far up the stack, so each call has to be unwound with care:
# four times slower. So they are looked for by checks at one rank count, by library.sh in the first run of each program
# of a script and wherever a program has to fail, and not everywhere.
function(cleave_test_environment name)
  set(leaks fast_unwind_on_malloc=0:detect_leaks=1)
  set(options detect_leaks=0)
  if("LEAKS" IN_LIST ARGN)
    set(options ${leaks})
  endif()
  set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT
    "CLEAVE_BIN=${CMAKE_BINARY_DIR}/bin" "CLEAVE_SOURCE=${CMAKE_SOURCE_DIR}"
    "OMPI_ALLOW_RUN_AS_ROOT=1" "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1" "OMPI_MCA_rmaps_base_oversubscribe=1"
    "OMPI_MCA_hwloc_base_binding_policy=none" "OMPI_MCA_mpi_yield_when_idle=1" "OPENBLAS_NUM_THREADS=1"
    "ASAN_OPTIONS=${options}" "LEAK_OPTIONS=${leaks}"
    "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/leaks.txt:print_suppressions=0"
    "UBSAN_OPTIONS=print_stacktrace=1")
endfunction()

# add_fuzzer(STEM LINK floor ...): tests/fuzz/fuzz_STEM.c with libFuzzer.
function(add_fuzzer stem)
  cmake_parse_arguments(FUZZ "" "" "LINK" ${ARGN})
  add_executable(fuzz_${stem} fuzz_${stem}.c)
  target_link_libraries(fuzz_${stem} PRIVATE ${FUZZ_LINK} m)
  target_link_options(fuzz_${stem} PRIVATE -fsanitize=fuzzer,address,undefined)
  target_compile_options(fuzz_${stem} PRIVATE -fsanitize=fuzzer)
endfunction()
