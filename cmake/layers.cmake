# One static library for each folder of src/: fk_base fk_wire fk_api fk_runtime
# fk_kubelet fk_firmware fk_link.
# A folder without a .c file is an empty library until the first one arrives.

function(fk_layer name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES")
    if(arg_SOURCES)
        add_library(fk_${name} STATIC ${arg_SOURCES})
        target_link_libraries(fk_${name} PUBLIC fk_include ${arg_USES} PRIVATE fk_strict)
    else()
        add_library(fk_${name} INTERFACE)
        target_link_libraries(fk_${name} INTERFACE fk_include ${arg_USES})
    endif()
endfunction()

# #include "base/bytes.h", "opts.h", "api/proto/x.pb.h"
add_library(fk_include INTERFACE)
target_include_directories(fk_include INTERFACE ${CMAKE_SOURCE_DIR}/src)

# src/api/proto/x.proto (and x.options) become build/<preset>/gen/api/proto/x.pb.[ch].
file(GLOB protos CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/api/proto/*.proto)
set(generated)
if(protos)
    # The generator needs python3-protobuf, which another python3 earlier on PATH may lack.
    foreach(candidate python3 /usr/bin/python3)
        execute_process(COMMAND ${candidate} -c "import google.protobuf"
            RESULT_VARIABLE result OUTPUT_QUIET ERROR_QUIET)
        if(result EQUAL 0)
            set(FK_PYTHON ${candidate})
            break()
        endif()
    endforeach()
    if(NOT FK_PYTHON)
        message(FATAL_ERROR "nanopb's generator needs python3-protobuf: run tools/setup")
    endif()
endif()
foreach(proto ${protos})
    cmake_path(GET proto STEM LAST_ONLY stem)
    set(out ${CMAKE_BINARY_DIR}/gen/api/proto/${stem}.pb)
    cmake_path(REPLACE_EXTENSION proto LAST_ONLY options OUTPUT_VARIABLE options)
    set(depends ${protos} ${TP}/nanopb/generator/nanopb_generator.py)
    if(EXISTS ${options})
        list(APPEND depends ${options})
    endif()
    # -B and a private temporary folder: presets may generate at the same time.
    add_custom_command(OUTPUT ${out}.c ${out}.h
        COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/gen/api/proto/.pb2
        COMMAND ${CMAKE_COMMAND} -E env NANOPB_PB2_TEMP_DIR=${CMAKE_BINARY_DIR}/gen/api/proto/.pb2
            ${FK_PYTHON} -B ${TP}/nanopb/generator/nanopb_generator.py --quiet
            -I ${CMAKE_SOURCE_DIR}/src -D ${CMAKE_BINARY_DIR}/gen api/proto/${stem}.proto
        DEPENDS ${depends}
        WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/src
        COMMENT "nanopb api/proto/${stem}.proto" VERBATIM)
    list(APPEND generated ${out}.c ${out}.h)
endforeach()
if(generated)
    add_library(fk_proto STATIC ${generated})
    target_compile_options(fk_proto PRIVATE -w)
    target_link_libraries(fk_proto PUBLIC nanopb)
    target_include_directories(fk_proto SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/gen)
else()
    add_library(fk_proto INTERFACE)
    target_link_libraries(fk_proto INTERFACE nanopb)
endif()

foreach(layer base wire api runtime kubelet firmware link)
    file(GLOB ${layer}_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${layer}/*.c)
endforeach()
fk_layer(base SOURCES ${base_sources})
fk_layer(wire SOURCES ${wire_sources} USES fk_base nghttp2)
fk_layer(api SOURCES ${api_sources} USES fk_wire fk_proto)
fk_layer(runtime SOURCES ${runtime_sources} USES fk_wire)
fk_layer(kubelet SOURCES ${kubelet_sources} USES fk_runtime fk_api)
fk_layer(firmware SOURCES ${firmware_sources} USES fk_kubelet)

# The only layer that knows the machine: hosts have sockets, boards have lwIP.
if(FK_BOARD)
    list(FILTER link_sources EXCLUDE REGEX "_socket\\.c$")
    fk_layer(link SOURCES ${link_sources} USES fk_base mbedtls $<TARGET_NAME_IF_EXISTS:lwip>)
else()
    list(FILTER link_sources EXCLUDE REGEX "_lwip\\.c$")
    fk_layer(link SOURCES ${link_sources} USES fk_base mbedtls)
endif()
if(link_sources)
    target_compile_definitions(fk_link PRIVATE _GNU_SOURCE)
endif()

# Chips, as "drivers/x.h": for boards, and for tests.
file(GLOB driver_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/drivers/*.c)
fk_layer(drivers SOURCES ${driver_sources} USES fk_base)
if(driver_sources)
    target_include_directories(fk_drivers PUBLIC ${CMAKE_SOURCE_DIR})
else()
    target_include_directories(fk_drivers INTERFACE ${CMAKE_SOURCE_DIR})
endif()

# All of it, for programs and tests.
add_library(fk_all INTERFACE)
target_link_libraries(fk_all INTERFACE fk_firmware fk_link)
