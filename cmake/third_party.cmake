# The libraries of third_party/manifest.toml, built from build/third_party (see third_party/fetch),
# each with our settings and without our warnings.

set(TP ${CMAKE_SOURCE_DIR}/build/third_party)
execute_process(COMMAND ${CMAKE_SOURCE_DIR}/third_party/fetch COMMAND_ERROR_IS_FATAL ANY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    ${CMAKE_SOURCE_DIR}/third_party/manifest.toml)

function(fk_third_party name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;INCLUDE;PRIVATE_INCLUDE;DEFINE;PRIVATE_DEFINE")
    add_library(${name} STATIC ${arg_SOURCES})
    target_include_directories(${name} SYSTEM PUBLIC ${arg_INCLUDE} PRIVATE ${arg_PRIVATE_INCLUDE})
    target_compile_definitions(${name} PUBLIC ${arg_DEFINE} PRIVATE ${arg_PRIVATE_DEFINE})
    # Their own dialect and no warnings of ours; but a function used without its declaration returns
    # an int in C's oldest reading, and then a pointer loses its upper half.
    set_target_properties(${name} PROPERTIES C_EXTENSIONS ON)
    target_compile_options(${name} PRIVATE -Werror=implicit-function-declaration
        -Werror=int-conversion -Werror=incompatible-pointer-types)
endfunction()

# Mbed TLS: what is in it is decided by src/link/mbedtls_config.h.
file(GLOB sources ${TP}/mbedtls/library/*.c ${TP}/mbedtls/3rdparty/p256-m/*.c
    ${TP}/mbedtls/3rdparty/p256-m/p256-m/*.c)
fk_third_party(mbedtls SOURCES ${sources}
    INCLUDE ${TP}/mbedtls/include
    PRIVATE_INCLUDE ${TP}/mbedtls/library ${TP}/mbedtls/3rdparty/p256-m ${TP}/mbedtls/3rdparty/p256-m/p256-m
        ${TP}/mbedtls/3rdparty/p256-m/p256-m/include
    DEFINE MBEDTLS_CONFIG_FILE="link/mbedtls_config.h")
target_include_directories(mbedtls PUBLIC ${CMAKE_SOURCE_DIR}/src)

# nghttp2. The three sizes belong to third_party/patches; all per session, heap.
#   NGHTTP2_FRAMEBUF_CHUNKLEN  1034: one frame of 1,024 bytes, its header, one byte of padding length.
#                              PUBLIC, since data callbacks must keep below it by 10.
#   HD_MAP_SIZE                16 buckets, a pointer each, to find an indexed header; a power of two
#   FK_HD_RING_INITIAL         16 entries, a pointer each, in both directions; grows when needed
set(PACKAGE_VERSION 1.64.0)
set(PACKAGE_VERSION_NUM 0x014000)
configure_file(${TP}/nghttp2/lib/includes/nghttp2/nghttp2ver.h.in
    ${CMAKE_BINARY_DIR}/gen/nghttp2/nghttp2/nghttp2ver.h @ONLY)
file(GLOB sources ${TP}/nghttp2/lib/*.c)
list(FILTER sources EXCLUDE REGEX "/nghttp2_hd_huffman_data\\.c$") # a patch puts less in its place
fk_third_party(nghttp2 SOURCES ${sources}
    INCLUDE ${TP}/nghttp2/lib/includes ${CMAKE_BINARY_DIR}/gen/nghttp2
    DEFINE NGHTTP2_STATICLIB NGHTTP2_FRAMEBUF_CHUNKLEN=1034
    PRIVATE_DEFINE HD_MAP_SIZE=16 FK_HD_RING_INITIAL=16 HAVE_ARPA_INET_H HAVE_NETINET_IN_H)
# They reach into it, to test what the patches changed.
set_source_files_properties(
    ${CMAKE_SOURCE_DIR}/tests/unit/third_party_huffman_test.c
    ${CMAKE_SOURCE_DIR}/tests/unit/third_party_tokens_test.c
    PROPERTIES COMPILE_OPTIONS "-isystem;${TP}/nghttp2/lib")

# llhttp, which lies in nghttp2's tree: the fuzzer of the kubelet's own port compares with it.
set(LLHTTP ${TP}/nghttp2/third-party/llhttp)
fk_third_party(llhttp
    SOURCES ${LLHTTP}/src/llhttp.c ${LLHTTP}/src/http.c ${LLHTTP}/src/api.c
    INCLUDE ${LLHTTP}/include)

# nanopb. Readers need no heap; the encoder is there for tests and for small request bodies.
fk_third_party(nanopb
    SOURCES ${TP}/nanopb/pb_common.c ${TP}/nanopb/pb_decode.c ${TP}/nanopb/pb_encode.c
    INCLUDE ${TP}/nanopb)

# libyaml: Linux port only.
file(GLOB sources ${TP}/libyaml/src/*.c)
fk_third_party(yaml SOURCES ${sources} INCLUDE ${TP}/libyaml/include
    PRIVATE_DEFINE YAML_VERSION_MAJOR=0 YAML_VERSION_MINOR=2 YAML_VERSION_PATCH=5
        YAML_VERSION_STRING="0.2.5")

fk_third_party(cmocka SOURCES ${TP}/cmocka/src/cmocka.c INCLUDE ${TP}/cmocka/include
    DEFINE HAVE_UINTPTR_T
    PRIVATE_DEFINE _GNU_SOURCE HAVE_MALLOC_H HAVE_INTTYPES_H HAVE_SIGNAL_H HAVE_STRINGS_H
        HAVE_GCC_THREAD_LOCAL_STORAGE HAVE_CLOCK_REALTIME HAVE_STRUCT_TIMESPEC HAVE_SIGLONGJMP
        HAVE_STRSIGNAL HAVE_SNPRINTF HAVE_VSNPRINTF)

# lwIP: what is in it is decided by src/link/lwipopts.h. On hosts, where it is only tested, it counts
# its memory and guards every piece of it with patterns.
file(GLOB sources ${TP}/lwip/src/core/*.c ${TP}/lwip/src/core/ipv4/*.c ${TP}/lwip/src/core/ipv6/*.c)
if(FK_BOARD)
    set(define)
else()
    set(define LWIP_STATS=1 MEMP_OVERFLOW_CHECK=1 MEM_SANITY_CHECK=1)
endif()
fk_third_party(lwip SOURCES ${sources} ${TP}/lwip/src/netif/ethernet.c
    INCLUDE ${TP}/lwip/src/include ${CMAKE_SOURCE_DIR}/src/link
    DEFINE ${define})
target_include_directories(lwip PUBLIC ${CMAKE_SOURCE_DIR}/src)
# With one DNS name, GCC sees a write behind the table in a loop that is not entered then.
target_compile_options(lwip PRIVATE -Wno-stringop-overflow)
