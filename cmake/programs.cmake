# Programs, tests, fuzzers and benchmarks; all by pattern.

# What a sanitizer is to do in tests: report a crash itself, before cmocka's handler hides where.
set(FK_TEST_ENVIRONMENT
    "ASAN_OPTIONS=allow_user_segv_handler=0:detect_stack_use_after_return=1:strict_string_checks=1"
    "UBSAN_OPTIONS=print_stacktrace=1")

# fk_program(name SOURCES file... USES library...): an executable with our warnings.
function(fk_program name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES")
    add_executable(${name} ${arg_SOURCES})
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
    target_link_libraries(${name} PRIVATE ${arg_USES} fk_all fk_strict)
endfunction()

# ports/<name>: all but main.c is the library fk_<name>, so that tests reach it; main.c the program.
function(fk_port name program)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "USES")
    set(folder ${CMAKE_SOURCE_DIR}/ports/${name})
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c)
    list(REMOVE_ITEM sources ${folder}/main.c)
    if(sources)
        add_library(fk_${name} STATIC ${sources})
        target_compile_definitions(fk_${name} PRIVATE _GNU_SOURCE)
        target_include_directories(fk_${name} PUBLIC ${CMAKE_SOURCE_DIR}/ports)
        target_link_libraries(fk_${name} PUBLIC fk_all ${arg_USES} PRIVATE fk_strict)
    else()
        add_library(fk_${name} INTERFACE)
        target_link_libraries(fk_${name} INTERFACE fk_all ${arg_USES})
    endif()
    file(GLOB main CONFIGURE_DEPENDS ${folder}/main.c)
    if(main AND NOT FK_FUZZ)
        fk_program(${program} SOURCES ${main} USES fk_${name})
    endif()
endfunction()

fk_port(linux femtokubelet USES yaml)
fk_port(sim femtosim)

# tests/support/*.c: helpers that any test may use, as #include "support/x.h".
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/*.c)
if(sources)
    add_library(fk_support STATIC ${sources})
    target_compile_definitions(fk_support PRIVATE _GNU_SOURCE)
    target_include_directories(fk_support PUBLIC ${CMAKE_SOURCE_DIR}/tests)
    target_link_libraries(fk_support PUBLIC fk_all fk_drivers cmocka PRIVATE fk_strict)
    # The core refers back to this one: have the linker look for it from the beginning.
    target_link_options(fk_support INTERFACE -Wl,--undefined=fk_assert_failed)
else()
    add_library(fk_support INTERFACE)
    target_include_directories(fk_support INTERFACE ${CMAKE_SOURCE_DIR}/tests)
    target_link_libraries(fk_support INTERFACE fk_all fk_drivers cmocka)
endif()

# tests/<folder>/x_test.c: one program and one ctest entry, "<folder>/x". Runs in tests/, so that
# golden files are found as "golden/...".
function(fk_tests folder)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES")
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${folder}/*_test.c)
    foreach(source ${sources})
        cmake_path(GET source STEM name)
        set(target ${folder}_${name})
        fk_program(${target} SOURCES ${source} USES fk_support ${arg_USES})
        set_target_properties(${target} PROPERTIES
            OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/${folder})
        string(REGEX REPLACE "_test$" "" short ${name})
        add_test(NAME ${folder}/${short} COMMAND ${target}
            WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/tests)
        set_tests_properties(${folder}/${short} PROPERTIES TIMEOUT 120
            ENVIRONMENT "${FK_TEST_ENVIRONMENT}")
    endforeach()
endfunction()

# What boards have in place of sockets; no host program has it, but it is tested here.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/link/*_lwip.c)
fk_layer(link_lwip SOURCES ${sources} USES fk_base $<TARGET_NAME_IF_EXISTS:lwip>)

if(NOT FK_FUZZ)
    fk_tests(unit USES yaml fk_link_lwip)
    fk_tests(sim USES fk_sim)
    fk_tests(linux USES fk_linux)
endif()

# tests/tools/console_tty.c: the board's console as a program, for tools/tests/test_provision.py, which
# tests tools/provision against it.
if(NOT FK_FUZZ)
    fk_program(console_tty SOURCES tests/tools/console_tty.c)
    set_target_properties(console_tty PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME tools/provision COMMAND python3 -B -m unittest test_provision
        WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/tools/tests)
    set_tests_properties(tools/provision PROPERTIES TIMEOUT 120
        ENVIRONMENT "FK_CONSOLE_TTY=$<TARGET_FILE:console_tty>;${FK_TEST_ENVIRONMENT}")
endif()

# fuzz/x_fuzz.c: a libFuzzer program under the preset fuzz; elsewhere the same file with
# fuzz/replay_main.c, which runs it over fuzz/corpus/x as the ctest entry "fuzz/x".
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/fuzz/*_fuzz.c)
foreach(source ${sources})
    cmake_path(GET source STEM name)
    string(REGEX REPLACE "_fuzz$" "" short ${name})
    if(FK_FUZZ)
        fk_program(${name} SOURCES ${source} USES fk_support fk_linux fk_link_lwip llhttp)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    else()
        fk_program(${name} SOURCES ${source} fuzz/replay_main.c USES fk_support fk_linux fk_link_lwip llhttp)
        add_test(NAME fuzz/${short} COMMAND ${name} ${CMAKE_SOURCE_DIR}/fuzz/corpus/${short})
        set_tests_properties(fuzz/${short} PROPERTIES TIMEOUT 120
            ENVIRONMENT "${FK_TEST_ENVIRONMENT}")
    endif()
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endforeach()

# bench/x.c: measured without sanitizers only.
if(NOT FK_SANITIZE)
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/*.c)
    foreach(source ${sources})
        cmake_path(GET source STEM name)
        fk_program(bench_${name} SOURCES ${source} USES fk_sim fk_support)
        set_target_properties(bench_${name} PROPERTIES
            OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
    endforeach()
endif()
