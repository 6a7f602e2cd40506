# Compiler options: sanitizers for everything, warnings for our own code only.

if(FK_SANITIZE)
    add_compile_options(-fsanitize=address -fno-omit-frame-pointer)
    add_link_options(-fsanitize=address,undefined)
endif()
# No paths of this machine in programs: not in assertions, not in debug information.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(FK_FUZZ)
    # Also third party: the fuzzer finds its way through nghttp2 and Mbed TLS by their coverage.
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# fk_strict: link it PRIVATE to a target of ours.
add_library(fk_strict INTERFACE)
target_compile_options(fk_strict INTERFACE
    -Werror -Wall -Wextra -Wpedantic
    -Wconversion -Wsign-conversion -Wdouble-promotion
    -Wshadow -Wundef -Wvla -Wcast-qual -Wcast-align -Wpointer-arith -Wwrite-strings
    -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wredundant-decls
    -Wmissing-declarations -Wformat=2 -Wnull-dereference
    -Wswitch-enum -Wimplicit-fallthrough -Walloca)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(fk_strict INTERFACE
        -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init
        -Wformat-signedness -Wformat-overflow=2 -Wformat-truncation=2 -Wtrampolines)
    if(FK_SANITIZE)
        # Instrumented code makes these two see null pointers and overflows that are not there.
        target_compile_options(fk_strict INTERFACE
            -Wno-null-dereference -Wno-format-overflow -Wno-format-truncation -Wno-maybe-uninitialized)
    endif()
else()
    target_compile_options(fk_strict INTERFACE
        -Wimplicit-int-conversion -Wcomma -Wunreachable-code -Wassign-enum -Wbad-function-cast)
endif()
if(FK_SANITIZE)
    # Only ours: undefined behaviour inside the libraries is their projects' matter, and it costs time.
    target_compile_options(fk_strict INTERFACE -fsanitize=undefined -fno-sanitize-recover=all)
    if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
        target_compile_options(fk_strict INTERFACE -fsanitize=implicit-conversion,local-bounds)
    endif()
endif()
