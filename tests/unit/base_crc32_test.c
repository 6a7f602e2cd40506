/* Against a bit-by-bit division, and the check value that catalogues of CRCs give. */
#include "base/crc32.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint32_t bitwise(const uint8_t *p, size_t len) {
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320 : 0);
    }
    return crc ^ 0xFFFFFFFF;
}

static void known_values(void **state) {
    (void)state;
    assert_int_equal(fk_crc32(0, "123456789", 9), 0xCBF43926);
    assert_int_equal(fk_crc32(0, NULL, 0), 0);
    assert_int_equal(fk_crc32(0xCBF43926, "", 0), 0xCBF43926);
}

/* Every byte value, and at every split. */
static void agrees_with_division(void **state) {
    (void)state;
    uint8_t bytes[256];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 167 + 13);
        assert_int_equal(fk_crc32(0, bytes + i, 1), bitwise(bytes + i, 1));
    }
    const uint32_t whole = bitwise(bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut++)
        assert_int_equal(fk_crc32(fk_crc32(0, bytes, cut), bytes + cut, sizeof bytes - cut), whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(agrees_with_division),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
