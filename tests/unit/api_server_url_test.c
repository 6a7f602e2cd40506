/* What is a server's URL, and what an operator is told about the rest. */
#include "api/server_url.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "base/err.h"
#include "support/guard.h"

static char text[1024];

/* The authority, or the sentence of the refusal. The URL ends at an unreadable page. */
static const char *parse(const char *url, struct fk_server_url *out) {
    struct guard g = guard_copy(fk_bytes_str(url));
    struct fk_writer w;
    fk_writer_init(&w, text, sizeof text);
    const int err = fk_server_url_parse(out, guard_bytes(&g), &w);
    assert_true(err == 0 ? w.len == 0 : err == FK_E_CONFIG && w.len > 0);
    if (err == 0) fk_server_url_put_authority(out, &w);
    assert_int_equal(fk_writer_finish(&w), 0);
    guard_free(&g);
    return err == 0 ? text : "";
}

static void good_urls(void **state) {
    (void)state;
    static const struct {
        const char *url, *authority;
    } rows[] = {
        {"https://a", "a:443"},
        {"https://a/", "a:443"},
        {"https://a:", "a:443"},
        {"https://a:1", "a:1"},
        {"https://k8s.example.com:65535/", "k8s.example.com:65535"},
        {"https://10.0.0.1:6443", "10.0.0.1:6443"},
        {"https://[::1]", "[::1]:443"},
        {"https://[2001:db8::1]:6443/", "[2001:db8::1]:6443"},
        {"https://a:0000001", "a:1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fk_server_url u;
        if (strcmp(parse(rows[i].url, &u), rows[i].authority) != 0)
            fail_msg("%s: %s", rows[i].url, text);
    }
}

static void refused_urls(void **state) {
    (void)state;
    static const struct {
        const char *url, *said;
    } rows[] = {
        {"", "must be of the form https://host:port"},
        {"a:6443", "\"a:6443\" must be of the form"},
        {"HTTPS://a", "must be of the form"},
        {"http://a", "\"http://a\": http proves nobody's identity; use https"},
        {"https://", "no DNS name or IP address"},
        {"https://:6443", "no DNS name or IP address"},
        {"https://a b", "no DNS name or IP address"},
        {"https://-a", "no DNS name or IP address"},
        {"https://a..b", "no DNS name or IP address"},
        {"https://::1", "no DNS name or IP address"},
        {"https://[::1", "no DNS name or IP address"},
        {"https://[::1:6443", "no DNS name or IP address"},
        {"https://[a]", "no DNS name or IP address"},
        {"https://[]", "no DNS name or IP address"},
        {"https://a:0", "the port must be a number from 1 to 65535"},
        {"https://a:65536", "the port must be"},
        {"https://a:00000001", "the port must be"},
        {"https://a:x", "the port must be"},
        {"https://a:1:2", "the port must be"},
        {"https://a/b", "nothing may follow the port"},
        {"https://a?b", "nothing may follow the port"},
        {"https://a#b", "nothing may follow the port"},
        {"https://[::1]x", "nothing may follow the port"},
        {"https://u:secret@a", "a user name in the URL is not supported; remove it"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fk_server_url u;
        assert_string_equal(parse(rows[i].url, &u), "");
        if (strstr(text, rows[i].said) == NULL) fail_msg("%s: %s", rows[i].url, text);
        assert_null(strstr(text, "secret"));
    }
}

static void longest_host(void **state) {
    (void)state;
    char url[8 + FK_HOST_MAX + 8] = "https://";
    struct fk_server_url u;
    memset(url + 8, 'h', FK_HOST_MAX);
    memcpy(url + 8 + FK_HOST_MAX, ":65535", 7);
    assert_int_equal(strlen(parse(url, &u)), FK_HOST_MAX + 6);
    assert_int_equal(u.host.len, FK_HOST_MAX);
    memcpy(url + 8 + FK_HOST_MAX, "h:6553", 7);
    assert_string_equal(parse(url, &u), "");
}

/* Against the C library, for every text of up to eight of these, and some longer ones. */
static void addresses(void **state) {
    (void)state;
    static const char letters[] = ":1f0.2";
    uint8_t bytes[16];
    char address[64];
    unsigned good = 0;
    for (size_t len = 0, count = 1; len <= 8; len++, count *= 6) {
        for (size_t n = 0; n < count; n++) {
            size_t rest = n;
            for (size_t i = 0; i < len; i++, rest /= 6) address[i] = letters[rest % 6];
            address[len] = '\0';
            if (strchr(address, ':') == NULL) continue; /* a name at most */
            const bool valid = inet_pton(AF_INET6, address, bytes) == 1;
            good += valid;
            if (fk_server_url_name_valid(fk_bytes(address, len)) != valid) fail_msg("%s", address);
        }
    }
    assert_true(good > 1000);
    static const char *const rows[] = {
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::8",
        "1::3:4:5:6:7:8",
        "::1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:8::",
        "1:2:3:4:5:6:1.2.3.4",
        "::ffff:1.2.3.4",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::255.255.255.255",
        "::256.1.1.1",
        "::1.1.1.256",
        "::1.2.3",
        "::1.2.3.4.5",
        "::1.2.3.04",
        "::1.2.3.4:1",
        "fFfF::abcd:EF01",
        "12345::",
        "::1%eth0",
        "::1.2.3.4000",
        "1:2:3:4:5:1.2.3.4",
        "g::",
        "1:2:3:4:5::1.2.3.4",
        "1:2:3:4:5:6::1.2.3.4",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const bool valid = inet_pton(AF_INET6, rows[i], bytes) == 1;
        if (fk_server_url_name_valid(fk_bytes_str(rows[i])) != valid) fail_msg("%s", rows[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_urls),
        cmocka_unit_test(refused_urls),
        cmocka_unit_test(longest_host),
        cmocka_unit_test(addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
