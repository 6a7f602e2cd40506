# The firmware of the board FK_BOARD: build/<preset>/femtokubelet.elf, of the layers, drivers/, what
# boards share (ports/board) and the board's own port.

# Used by hosts only.
set_target_properties(yaml cmocka PROPERTIES EXCLUDE_FROM_ALL TRUE)

# nghttp2 swaps bytes with functions of the host's network headers; the C library here has none.
target_include_directories(nghttp2 SYSTEM BEFORE PRIVATE ${CMAKE_SOURCE_DIR}/ports/board/include)

# Straight into the program rather than a library: malloc and the like must be found here before the
# linker looks into the C library.
set(port ${CMAKE_SOURCE_DIR}/ports/${FK_BOARD})
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/ports/board/*.c ${port}/*.c ${port}/*.S)
file(GLOB linker_script ${port}/*.ld)
add_executable(femtokubelet ${sources})
target_include_directories(femtokubelet PRIVATE ${CMAKE_SOURCE_DIR}/ports)
target_link_libraries(femtokubelet PRIVATE fk_all fk_drivers fk_strict)
target_link_options(femtokubelet PRIVATE -nostartfiles -T ${linker_script}
    -Wl,-Map=${CMAKE_BINARY_DIR}/femtokubelet.map -Wl,--print-memory-usage -Wl,--fatal-warnings
    -DPICOLIBC_INTEGER_PRINTF_SCANF)
set_target_properties(femtokubelet PROPERTIES LINK_DEPENDS ${linker_script})
