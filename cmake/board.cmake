# The firmware of the board FK_BOARD: build/<preset>/femtokubelet.elf, of the layers, drivers/, what
# boards share (ports/board) and the board's own port.

# Used by hosts only.
set_target_properties(yaml cmocka PROPERTIES EXCLUDE_FROM_ALL TRUE)

# nghttp2 swaps bytes with functions of the host's network headers; the C library here has none.
target_include_directories(nghttp2 SYSTEM BEFORE PRIVATE ${CMAKE_SOURCE_DIR}/ports/board/include)

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
