/* Durations, base64, architectures, gateways: text in, values out. */
#include "linux/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "linux/base64.h"
#include "linux/facts.h"

static void durations(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int err;
        uint64_t ms;
    } rows[] = {
        {"10s", 0, 10000},
        {"5m", 0, 300000},
        {"1m30s", 0, 90000},
        {"1h", 0, 3600000},
        {"500ms", 0, 500},
        {"1.5h", 0, 5400000},
        {".5s", 0, 500},
        {"1.s", 0, 1000},
        {"0.0015s", 0, 1},
        {"999us", 0, 0},
        {"2000\xC2\xB5s", 0, 2},
        {"3000\xCE\xBCs", 0, 3},
        {"1000000ns", 0, 1},
        {"0", 0, 0},
        {"0s", 0, 0},
        {"1s1s", 0, 2000},
        {"0.12345678901234567890s", 0, 123},
        {"10000h", 0, UINT64_C(36000000000)},
        {"", FK_E_PARSE, 0},
        {"10", FK_E_PARSE, 0},
        {"s", FK_E_PARSE, 0},
        {".s", FK_E_PARSE, 0},
        {"-1s", FK_E_PARSE, 0},
        {"+1s", FK_E_PARSE, 0},
        {" 1s", FK_E_PARSE, 0},
        {"1s ", FK_E_PARSE, 0},
        {"1 s", FK_E_PARSE, 0},
        {"1d", FK_E_PARSE, 0},
        {"1S", FK_E_PARSE, 0},
        {"1.2.3s", FK_E_PARSE, 0},
        {"1e3s", FK_E_PARSE, 0},
        {"00", FK_E_PARSE, 0},
        {"10001h", FK_E_RANGE, 0},
        {"9999h61m", FK_E_RANGE, 0},
        {"99999999999999999999s", FK_E_RANGE, 0},
        {"18446744073709551616ns", FK_E_RANGE, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t ms = 0;
        const int err = fk_duration_parse(rows[i].text, &ms);
        if (err != rows[i].err || ms != rows[i].ms)
            fail_msg("\"%s\": %d, %llu ms", rows[i].text, err, (unsigned long long)ms);
    }
}

/* RFC 4648 §10, and what strict means. */
static void base64(void **state) {
    (void)state;
    static const struct {
        const char *text, *bytes; /* bytes NULL: refused */
    } rows[] = {
        {"", ""},          {"Zg==", "f"},        {"Zm8=", "fo"},
        {"Zm9v", "foo"},   {"Zm9vYg==", "foob"}, {"Zm9vYmFy", "foobar"},
        {"Zm9v\n", "foo"}, {"Zg==\r\n", "f"},    {"Zg=", NULL},
        {"Zg", NULL},      {"Zh==", NULL},       {"Zm9=", NULL},
        {"Z===", NULL},    {"====", NULL},       {"Zg==Zg==", NULL},
        {"Zm=v", NULL},    {"Zm\n9v", NULL},     {"Zm9-", NULL},
        {" Zm9v", NULL},   {"Zm9v ", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t out[16];
        const long len = fk_base64_decode(fk_bytes_str(rows[i].text), out);
        const char *bytes = rows[i].bytes;
        const bool right =
            bytes == NULL ? len == FK_E_PARSE
                          : len == (long)strlen(bytes) && memcmp(out, bytes, strlen(bytes)) == 0;
        if (!right) fail_msg("\"%s\": %ld", rows[i].text, len);
    }
}

static void architectures(void **state) {
    (void)state;
    assert_string_equal(fk_machine_arch("x86_64"), "amd64");
    assert_string_equal(fk_machine_arch("aarch64"), "arm64");
    assert_string_equal(fk_machine_arch("armv7l"), "arm");
    assert_string_equal(fk_machine_arch("riscv64"), "riscv64");
    assert_string_equal(fk_machine_arch("m68k"), "m68k");
}

static void machine_is_described(void **state) {
    (void)state;
    struct fk_machine m;
    fk_machine_read(&m);
    assert_string_not_equal(m.hostname, "");
    assert_string_not_equal(m.kernel_version, "");
    assert_string_not_equal(m.architecture, "");
    assert_int_equal(strlen(m.boot_id), 36);
}

#define ROUTE_HEAD                                                                                 \
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
#define ARP_HEAD "IP address       HW type     Flags       HW address            Mask     Device\n"

static void gateways(void **state) {
    (void)state;
    static const uint8_t ip[4] = {192, 0, 2, 1};
    uint32_t gateway; /* as the kernel prints it on this machine, whatever its byte order */
    memcpy(&gateway, ip, sizeof gateway);
    char route[512];
    (void)snprintf(route, sizeof route,
                   ROUTE_HEAD "wlan0\t00000000\t%08X\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
                              "eth0\t00000000\t%08X\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
                              "eth0\t%08X\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n",
                   gateway, gateway, gateway & 0xFFFFFF);
    static const char arp[] =
        ARP_HEAD "192.0.2.1        0x1         0x2         02:00:00:00:00:99     *        wlan0\n"
                 "192.0.2.10       0x1         0x2         02:00:00:00:00:77     *        eth0\n"
                 "192.0.2.1        0x1         0x2         02:00:5e:10:00:01     *        eth0\n";
    assert_true(fk_gateway_find(route, arp) == UINT64_C(0x02005E100001));
    assert_true(fk_gateway_find(route, ARP_HEAD) == 0);
    assert_true(fk_gateway_find(ROUTE_HEAD, arp) == 0);
    assert_true(fk_gateway_find("", "") == 0);
    /* whatever stands there, cut anywhere: an answer, no crash */
    for (size_t len = strlen(route); len > 0; len--) {
        route[len - 1] = '\0';
        (void)fk_gateway_find(route, arp);
    }
    (void)fk_gateway_read();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),     cmocka_unit_test(base64),
        cmocka_unit_test(architectures), cmocka_unit_test(machine_is_described),
        cmocka_unit_test(gateways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
