# Cross-compiling for Cortex-M with GCC and picolibc. FK_CPU names the core, as -mcpu does; a preset
# sets it.

set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_ASM_COMPILER arm-none-eabi-gcc)
# Those that see into objects made for link-time optimization.
set(CMAKE_C_COMPILER_AR arm-none-eabi-gcc-ar)
set(CMAKE_C_COMPILER_RANLIB arm-none-eabi-gcc-ranlib)

set(FK_CPU cortex-m3 CACHE STRING "the core, as GCC's -mcpu has it")
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES FK_CPU)
# There is nothing to start a program on before the port is built.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

set(CMAKE_C_FLAGS_INIT "-mcpu=${FK_CPU} -mthumb --specs=picolibc.specs")
set(CMAKE_ASM_FLAGS_INIT "-mcpu=${FK_CPU} -mthumb")

# Programs come from the machine that builds, everything else from the toolchain.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
