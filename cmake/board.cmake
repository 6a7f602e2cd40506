# The firmware of the board FK_BOARD: build/<preset>/femtokubelet.elf, of the layers, drivers/, what
# boards share (ports/board) and the board's own port.

# Used by hosts only.
set_target_properties(yaml cmocka llhttp PROPERTIES EXCLUDE_FROM_ALL TRUE)

# nghttp2 swaps bytes with functions of the host's network headers; the C library here has none. And
# its assertions are compiled without their texts; as a SYSTEM folder ours would be searched too late.
target_include_directories(nghttp2 BEFORE PRIVATE ${CMAKE_SOURCE_DIR}/ports/board/include)

# fk_firmware_program(name SOURCES file...). The port's sources are named rather than a library:
# malloc and the like must be found here before the linker looks into the C library.
set(port ${CMAKE_SOURCE_DIR}/ports/${FK_BOARD})
file(GLOB linker_script ${port}/*.ld)
function(fk_firmware_program name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES")
    add_executable(${name} ${arg_SOURCES})
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/ports)
    target_link_libraries(${name} PRIVATE fk_all fk_drivers fk_strict)
    target_link_options(${name} PRIVATE -nostartfiles -T ${linker_script}
        -Wl,-Map=${CMAKE_BINARY_DIR}/${name}.map -Wl,--fatal-warnings
        -DPICOLIBC_INTEGER_PRINTF_SCANF)
    set_target_properties(${name} PROPERTIES SUFFIX .elf LINK_DEPENDS ${linker_script})
endfunction()

file(GLOB shared CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/ports/board/*.c)
file(GLOB machine CONFIGURE_DEPENDS ${port}/*.c ${port}/*.S)
fk_firmware_program(femtokubelet SOURCES ${shared} ${machine})
target_link_options(femtokubelet PRIVATE -Wl,--print-memory-usage)

# The machine without the node, for tools/check-machine.
list(FILTER shared EXCLUDE REGEX "/firmware[^/]*$")
list(REMOVE_ITEM machine ${port}/main.c)
fk_firmware_program(machine_check
    SOURCES ${CMAKE_SOURCE_DIR}/tests/${FK_BOARD}/machine_check.c ${shared} ${machine})

# Eight multiplications on the curve make a handshake, so p256-m is worth -O2. It multiplies 16 by 16
# bits where the core's long multiplication takes a time that depends on the numbers. A real Cortex-M3
# is such a core; the emulated one has no timing to leak, and shows what a core with a constant one
# (Cortex-M4, Xtensa) would do. Cortex-M0+ has no long multiplication: as it comes.
set(p256m_options -O2)
if(FK_BOARD STREQUAL qemu AND FK_CPU STREQUAL cortex-m3)
    list(APPEND p256m_options -U__ARM_ARCH_PROFILE -DMUL64_IS_CONSTANT_TIME)
endif()
set_source_files_properties(${TP}/mbedtls/3rdparty/p256-m/p256-m/p256-m.c
    PROPERTIES COMPILE_OPTIONS "${p256m_options}")

# PSA's driver over p256-m makes its keys by way of src/link/p256_pair.h.
set_source_files_properties(${TP}/mbedtls/3rdparty/p256-m/p256-m_driver_entrypoints.c
    PROPERTIES COMPILE_DEFINITIONS "p256_gen_keypair=fk_p256_gen_keypair;\
p256_public_from_private=fk_p256_public_from_private")
target_link_libraries(mbedtls INTERFACE fk_link)
