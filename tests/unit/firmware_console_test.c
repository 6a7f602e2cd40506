/* The console as a person and as tools/provision meet it: what is typed, and what comes back. */
#include "firmware/console.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/crc32.h"
#include "support/flash_model.h"

#define PAGE 256
#define SECTOR 4096
#define SECTORS 8 /* two slots of 16 KB */
#define BUSY "error: saved settings wait for a reboot; type reboot, then go on\r\n> "

struct bench {
    struct flash_model flash;
    struct fk_store store;
    struct fk_console console;
    char *out; /* all that was written since the last look, zero-terminated */
    size_t out_len, out_cap;
    unsigned reboots, forgets;
    int forget_err;
    bool noisy; /* the status command logs in between */
};

static void write_out(void *ctx, const char *text, size_t len) {
    struct bench *b = ctx;
    assert_true(len > 0);
    if (b->out_len + len + 1 > b->out_cap) {
        b->out_cap = 2 * (b->out_len + len + 1);
        b->out = realloc(b->out, b->out_cap);
        assert_non_null(b->out);
    }
    memcpy(b->out + b->out_len, text, len);
    b->out_len += len;
    b->out[b->out_len] = '\0';
}

static void log_line(struct bench *b, const char *text) {
    fk_console_before_output(&b->console);
    write_out(b, text, strlen(text));
    write_out(b, "\r\n", 2);
    fk_console_after_output(&b->console);
}

static void print_status(void *ctx, struct fk_console *console) {
    struct bench *b = ctx;
    fk_console_pair(console, "state", "connec\x1bted", 0);
    if (b->noisy) log_line(b, "I 1.000 heard");
    fk_console_pair(console, "renewals", NULL, -12);
    fk_console_pair(console, "a-key-of-17-bytes", NULL, INT64_MIN);
}

static void reboot(void *ctx) { ((struct bench *)ctx)->reboots++; }

static int forget(void *ctx) {
    struct bench *b = ctx;
    b->forgets++;
    return b->forget_err;
}

static const struct fk_console_ops ops = {write_out, print_status, reboot, forget};

static void power_on(struct bench *b) {
    flash_model_power_on(&b->flash);
    assert_int_equal(fk_store_open(&b->store, &b->flash.flash), 0);
    fk_console_init(&b->console, &ops, b, &b->store);
}

static void begin_sized(struct bench *b, uint32_t sectors) {
    memset(b, 0, sizeof *b);
    flash_model_init(&b->flash, PAGE, SECTOR, sectors);
    power_on(b);
    assert_string_equal(b->out, "\r\n> ");
}

static void begin(struct bench *b) { begin_sized(b, SECTORS); }

static void end(struct bench *b) {
    flash_model_free(&b->flash);
    free(b->out);
}

/* What comes back to these bytes. Valid until the next call. */
static const char *feed(struct bench *b, const void *bytes, size_t len) {
    b->out_len = 0;
    if (b->out != NULL) b->out[0] = '\0';
    fk_console_input(&b->console, bytes, len);
    return b->out;
}

static const char *type(struct bench *b, const char *text) { return feed(b, text, strlen(text)); }

/* What comes back to this line behind its echo. */
static const char *enter(struct bench *b, const char *line) {
    type(b, line);
    assert_string_equal(b->out, line);
    return type(b, "\r") + 2;
}

#define has(text, part) assert_non_null(strstr(text, part))
#define lacks(text, part) assert_null(strstr(text, part))

static void assert_ends(const char *text, const char *tail) {
    const size_t len = strlen(text), tail_len = strlen(tail);
    assert_string_equal(len < tail_len ? text : text + len - tail_len, tail);
}

/* Every answer is one, and the prompt is behind it. */
static void assert_answered(const char *text) {
    assert_ends(text, "\r\n> ");
    const char *last = text;
    for (const char *p = text; (p = strstr(p, "\r\n")) != NULL && strcmp(p, "\r\n> ") != 0;)
        last = p += 2;
    assert_true(strncmp(last, "ok", 2) == 0 || strncmp(last, "error: ", 7) == 0);
}

/* ---- PEM to paste ------------------------------------------------------------------------------
 */

/* A SEQUENCE of len bytes (4 to 65535 + 4), its content by a pattern. */
static void make_der(uint8_t *der, size_t len, unsigned seed) {
    const size_t body = len - 4;
    const uint8_t head[] = {0x30, 0x82, (uint8_t)(body >> 8), (uint8_t)body};
    memcpy(der, head, sizeof head);
    for (size_t i = 4; i < len; i++) der[i] = (uint8_t)((i * 167 + seed * 29 + i / 256) >> 1);
}

static char *put_base64(char *at, const uint8_t *der, size_t len) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)der[i] << 16;
        if (i + 1 < len) bits |= (uint32_t)der[i + 1] << 8;
        if (i + 2 < len) bits |= der[i + 2];
        for (size_t k = 0; k < 4; k++)
            *at++ = i + k > len ? '=' : alphabet[bits >> (18 - 6 * k) & 63];
        if (i % 48 == 45 || i + 3 >= len) *at++ = '\r';
    }
    *at = '\0';
    return at;
}

/* A block, its lines ended by CR, behind what is in text already. */
static void add_block(char *text, const char *label, const uint8_t *der, size_t len) {
    char *at = text + strlen(text);
    at += sprintf(at, "-----BEGIN %s-----\r", label);
    at = put_base64(at, der, len);
    (void)sprintf(at, "-----END %s-----\r", label);
}

static struct fk_bytes drafted(const struct bench *b, unsigned number) {
    struct fk_bytes value = {0};
    return fk_store_drafted(&b->store, number, &value) ? value : fk_bytes(NULL, 0);
}

static void assert_bytes(struct fk_bytes value, const void *bytes, size_t len) {
    assert_int_equal(value.len, len);
    assert_memory_equal(value.p, bytes, len);
}

/* ---- commands ----------------------------------------------------------------------------------
 */

static void answers(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    static const struct {
        const char *line, *end;
    } rows[] = {
        {"", "> "},
        {"   ", "> "},
        {"frobnicate", "error: no command \"frobnicate\"; type help\r\n> "},
        {"a-word-of-24-bytes-in-all", "error: no command \"a-word-of-24-bytes-in-al...\"; type "
                                      "help\r\n> "},
        {"a-word-of-24-bytes-in-al", "\"a-word-of-24-bytes-in-al\"; type help\r\n> "},
        {"sho", "error: no command \"sho\"; type help\r\n> "},
        {"shows", "error: no command \"shows\"; type help\r\n> "},
        {"set", "error: type set NAME VALUE; show lists the names\r\n> "},
        {"set nothing x", "error: no setting \"nothing\"; type help\r\n> "},
        {"set server",
         "error: a value is missing; type set server https://HOST[:PORT], or unset to remove "
         "it\r\n> "},
        {"set ca x", "error: type set ca alone and paste PEM behind it\r\n> "},
        {"unset", "error: type unset NAME; show lists the names\r\n> "},
        {"unset nothing", "error: no setting \"nothing\"; type help\r\n> "},
        {"show", "\r\nok\r\n> "},
        {"save", "ok nothing was changed\r\n> "},
        {"discard", "ok the settings are as they were saved\r\n> "},
        {"factory-reset", "error: this erases all settings, the key too; type factory-reset "
                          "yes\r\n> "},
        {"factory-reset no", "type factory-reset yes\r\n> "},
        {"factory-reset yesno", "type factory-reset yes\r\n> "},
        {".", "error: no command \".\"; type help\r\n> "},
        {"help", "\r\nok\r\n> "},
        {"  help  ", "\r\nok\r\n> "},
        {"status", "\r\nok\r\n> "},
        {"reboot", "ok rebooting\r\n> "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *answer = enter(&b, rows[i].line);
        assert_ends(answer, rows[i].end);
        if (i > 1) assert_answered(answer);
    }
    assert_int_equal(b.reboots, 1);
    assert_false(fk_store_drafting(&b.store));
    end(&b);
}

static void help_lists_everything(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    const char *answer = enter(&b, "help");
    static const char *const words[] = {"help ",    "show ",   "set ",    "unset ",        "save ",
                                        "discard ", "status ", "reboot ", "factory-reset "};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) has(answer, words[i]);
    for (size_t i = 0; i < fk_setting_count; i++) {
        has(answer, fk_setting_table[i].name);
        has(answer, fk_setting_table[i].argument);
        has(answer, fk_setting_table[i].help);
    }
    end(&b);
}

static void status_prints_pairs(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    for (int noisy = 0; noisy < 2; noisy++) {
        b.noisy = noisy != 0;
        assert_string_equal(enter(&b, "status"),
                            noisy ? "state            connec?ted\r\nI 1.000 heard\r\n"
                                    "renewals         -12\r\n"
                                    "a-key-of-17-bytes -9223372036854775808\r\nok\r\n> "
                                  : "state            connec?ted\r\nrenewals         -12\r\n"
                                    "a-key-of-17-bytes -9223372036854775808\r\nok\r\n> ");
    }
    end(&b);
}

static void set_show_save(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    const char *shown = enter(&b, "show");
    has(shown, "server           (not set, required)\r\n");
    has(shown, "hostname         (not set)\r\n");
    assert_string_equal(enter(&b, "set server https://10.0.0.1:6443"),
                        "ok server is set; save keeps it\r\n> ");
    assert_string_equal(enter(&b, "  set   node-name   board-1  "),
                        "ok node-name is set; save keeps it\r\n> ");
    shown = enter(&b, "show");
    has(shown, "server           https://10.0.0.1:6443  (not saved)\r\n");
    has(shown, "node-name        board-1  (not saved)\r\n");
    assert_ends(shown, "\r\nok (not saved; type save or discard)\r\n> ");
    assert_ends(enter(&b, "reboot"), "error: there are changes that are not saved; type save or "
                                     "discard first\r\n> ");
    assert_int_equal(b.reboots, 0);
    assert_string_equal(enter(&b, "save"),
                        "ok saved; reboot to use; still missing: ca, cert, key\r\n> ");
    shown = enter(&b, "show");
    has(shown, "server           https://10.0.0.1:6443\r\n");
    lacks(shown, "not saved");
    assert_ends(shown, "\r\nok (saved; reboot to use)\r\n> ");
    power_on(&b);
    shown = enter(&b, "show");
    has(shown, "server           https://10.0.0.1:6443\r\n");
    assert_ends(shown, "\r\nok\r\n> ");
    end(&b);
}

static void unset_and_discard(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    (void)enter(&b, "set hostname one");
    (void)enter(&b, "save");
    power_on(&b);
    assert_string_equal(enter(&b, "unset hostname"),
                        "ok hostname is not set; save keeps it so\r\n> ");
    has(enter(&b, "show"), "hostname         (not set)  (not saved)\r\n");
    assert_answered(enter(&b, "discard"));
    has(enter(&b, "show"), "hostname         one\r\n");
    (void)enter(&b, "set hostname two");
    (void)enter(&b, "unset hostname");
    has(enter(&b, "save"), "ok saved");
    power_on(&b);
    has(enter(&b, "show"), "hostname         (not set)\r\n");
    end(&b);
}

static void bad_values_are_refused_in_words(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    static const char *const lines[] = {"set server http://x", "set node-name Upper_Case",
                                        "set log-level loud"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *answer = enter(&b, lines[i]);
        char start[32] = "error: ";
        strcat(strncat(start, lines[i] + 4, strcspn(lines[i] + 4, " ")), ": ");
        assert_memory_equal(answer, start, strlen(start)); /* "error: NAME: sentence" */
        assert_answered(answer);
        assert_true(strlen(answer) > strlen(start) + 16);
    }
    assert_false(fk_store_drafting(&b.store));
    end(&b);
}

/* Saved settings are read in place until the reboot: nothing new may take their slot. */
static void waits_for_the_reboot(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    (void)enter(&b, "set hostname one");
    (void)enter(&b, "save");
    power_on(&b);
    (void)enter(&b, "set hostname two");
    (void)enter(&b, "save");
    static const char *const lines[] = {"set hostname three", "unset hostname", "set key"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_string_equal(enter(&b, lines[i]), BUSY);
    assert_ends(enter(&b, "show"), "ok (saved; reboot to use)\r\n> ");
    assert_string_equal(enter(&b, "reboot"), "ok rebooting\r\n> ");
    assert_int_equal(b.reboots, 1);
    power_on(&b);
    assert_answered(enter(&b, "set hostname three"));
    has(enter(&b, "show"), "hostname         three  (not saved)\r\n");
    end(&b);
}

static void factory_reset(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    (void)enter(&b, "set hostname one");
    (void)enter(&b, "save");
    (void)enter(&b, "factory-reset");
    assert_int_equal(b.reboots, 0);
    power_on(&b);
    has(enter(&b, "show"), "hostname         one\r\n");
    assert_string_equal(enter(&b, "factory-reset yes"),
                        "ok all settings are erased; rebooting\r\n> ");
    assert_int_equal(b.reboots, 1);
    assert_int_equal(b.forgets, 1);
    for (size_t i = 0; i < b.flash.size; i++) assert_int_equal(b.flash.bytes[i], 0xff);
    end(&b);
}

static void text_from_flash_moves_no_cursor(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    const char evil[] = "\x1b[2Jok\r\n\x9b\x7f";
    char longest[FK_CONSOLE_LINE_MAX + 100];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(fk_store_begin(&b.store), 0);
    assert_int_equal(fk_store_put(&b.store, FK_SETTING_HOSTNAME, sizeof evil), 0);
    assert_int_equal(fk_store_write(&b.store, evil, sizeof evil), 0);
    assert_int_equal(fk_store_put(&b.store, FK_SETTING_NODE_NAME, sizeof longest), 0);
    assert_int_equal(fk_store_write(&b.store, longest, sizeof longest), 0);
    const char *shown = enter(&b, "show");
    has(shown, "hostname         ?[2Jok????  (not saved)\r\n");
    has(shown, "xxx...  (not saved)\r\n");
    end(&b);
}

/* ---- flash in trouble --------------------------------------------------------------------------
 */

static void flash_fails(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    b.flash.fault = FLASH_ERROR;
    b.flash.cut_at = 1; /* the first erase */
    assert_ends(
        enter(&b, "set hostname one"),
        "error: the flash failed; what was not saved is lost: set it again, then save\r\n> ");
    flash_model_power_on(&b.flash);
    assert_ends(enter(&b, "set hostname one"), "ok hostname is set; save keeps it\r\n> ");
    b.flash.fault = FLASH_ERROR;
    b.flash.cut_at = b.flash.ops + 1;
    has(enter(&b, "save"), "error: the flash failed");
    assert_ends(enter(&b, "show"), "\r\nok\r\n> ");
    b.flash.fault = FLASH_ERROR;
    b.flash.cut_at = b.flash.ops + 1;
    has(enter(&b, "factory-reset yes"), "error: the flash failed and may still hold settings");
    assert_int_equal(b.reboots, 1); /* what the node refers to may be gone */
    (void)enter(&b, "set hostname two");
    b.forget_err = FK_E_RANGE; /* of the other region: no success is claimed */
    has(enter(&b, "factory-reset yes"), "error: the flash failed and may still hold settings");
    assert_int_equal(b.reboots, 2);
    end(&b);
}

static void no_flash(void **state) {
    (void)state;
    struct bench b = {0};
    assert_int_equal(fk_store_open(&b.store, NULL), FK_E_CONFIG);
    fk_console_init(&b.console, &ops, &b, &b.store);
    static const char *const lines[] = {"set hostname one", "unset hostname", "set key",
                                        "factory-reset yes"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_string_equal(enter(&b, lines[i]),
                            "error: this board has no flash for settings that is usable\r\n> ");
    static const char *const others[] = {"show", "save", "discard", "status", "reboot"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_answered(enter(&b, others[i]));
    assert_int_equal(b.reboots, 1);
    free(b.out);
}

static void settings_of_a_later_version(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    (void)enter(&b, "set hostname one");
    (void)enter(&b, "save");
    uint8_t *const head = b.flash.bytes;
    head[4]++; /* the version */
    const uint32_t crc = fk_crc32(0, head, 20);
    for (int i = 0; i < 4; i++) head[20 + i] = (uint8_t)(crc >> 8 * i);
    power_on(&b);
    assert_string_equal(enter(&b, "set hostname two"),
                        "error: the settings are of a later version; "
                        "load that version again, or type "
                        "factory-reset\r\n> ");
    has(enter(&b, "factory-reset yes"), "ok");
    power_on(&b);
    has(enter(&b, "set hostname two"), "ok");
    end(&b);
}

/* One sector a slot: 4 KB less a page of head. */
static void flash_is_full(void **state) {
    (void)state;
    struct bench b;
    begin_sized(&b, 2);
    static uint8_t der[3000];
    static char text[8192];
    make_der(der, sizeof der, 1);
    text[0] = '\0';
    add_block(text, "CERTIFICATE", der, sizeof der);
    (void)enter(&b, "set ca");
    (void)type(&b, text);
    assert_ends(type(&b, ".\r"), "ok 3000 bytes; save keeps them\r\n> ");
    (void)enter(&b, "set cert");
    (void)type(&b, text);
    assert_ends(
        type(&b, ".\r"),
        "error: the flash is full; what was not saved is lost: set it again, then save\r\n> ");
    assert_ends(enter(&b, "show"), "\r\nok\r\n> ");
    assert_answered(enter(&b, "set hostname one"));
    has(enter(&b, "save"), "ok saved");
    end(&b);
}

/* ---- pasting -----------------------------------------------------------------------------------
 */

static void chain_of_certificates(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    uint8_t der[500 + 600];
    make_der(der, 500, 1);
    make_der(der + 500, 600, 2);
    char text[4096] = "# an authority \xc3\xa9\r\r";
    add_block(text, "CERTIFICATE", der, 500);
    strcat(text, "between\r");
    add_block(text, "CERTIFICATE", der + 500, 600);
    assert_string_equal(enter(&b, "set ca"), "paste the PEM text (it is not echoed), then a line "
                                             "with a single dot; Ctrl-C cancels\r\n1| ");
    const char *answer = type(&b, text);
    assert_memory_equal(answer, "\r\n2| \r\n3| \r\n4| ", 15); /* nothing else: no echo */
    assert_string_equal(type(&b, ".\r"), "\r\nok 1100 bytes; save keeps them\r\n> ");
    assert_bytes(drafted(&b, FK_SETTING_CA), der, sizeof der);
    has(enter(&b, "show"), "ca               set, 1100 bytes  (not saved)\r\n");
    (void)enter(&b, "save");
    power_on(&b);
    assert_bytes(fk_store_get(&b.store, FK_SETTING_CA), der, sizeof der);
    has(enter(&b, "show"), "ca               set, 1100 bytes\r\n");
    end(&b);
}

static void paste(struct bench *b, const char *name, const char *label) {
    uint8_t der[300];
    char line[32], text[1024] = "";
    make_der(der, sizeof der, 3);
    add_block(text, label, der, sizeof der);
    (void)snprintf(line, sizeof line, "set %s", name);
    (void)enter(b, line);
    (void)type(b, text);
    assert_ends(type(b, ".\r"), "ok 300 bytes; save keeps them\r\n> ");
}

#define HALF_A_PAIR "error: server-cert and server-key go together: set both or unset both\r\n> "

/* Either alone would keep the port closed. */
static void half_a_pair_is_not_saved(void **state) {
    (void)state;
    static const struct {
        const char *name, *label;
    } halves[] = {{"server-cert", "CERTIFICATE"}, {"server-key", "PRIVATE KEY"}};
    for (size_t i = 0; i < 2; i++) {
        char unset[32];
        struct bench b;
        begin(&b);
        paste(&b, halves[i].name, halves[i].label);
        assert_string_equal(enter(&b, "save"), HALF_A_PAIR);
        assert_true(fk_store_drafting(&b.store)); /* to be made whole */
        paste(&b, halves[1 - i].name, halves[1 - i].label);
        has(enter(&b, "save"), "ok saved");
        power_on(&b);
        (void)snprintf(unset, sizeof unset, "unset %s", halves[i].name);
        (void)enter(&b, unset);
        assert_string_equal(enter(&b, "save"), HALF_A_PAIR);
        (void)snprintf(unset, sizeof unset, "unset %s", halves[1 - i].name);
        (void)enter(&b, unset);
        has(enter(&b, "save"), "ok saved");
        end(&b);
    }
}

/* Whether 8 bytes of what was secret are found in memory. */
static bool leaks(const void *memory, size_t len, const uint8_t *secret, size_t secret_len) {
    for (size_t i = 0; i + 8 <= secret_len; i++)
        for (size_t at = 0; at + 8 <= len; at++)
            if (memcmp((const uint8_t *)memory + at, secret + i, 8) == 0) return true;
    return false;
}

/* Cut at every byte as well: a key that was given up half way is as secret. */
static void key_leaves_no_trace(void **state) {
    (void)state;
    uint8_t der[121];
    make_der(der, sizeof der, 3);
    char text[512] = "";
    add_block(text, "EC PRIVATE KEY", der, sizeof der);
    const char *const base64 = strchr(text, '\r') + 1;
    const size_t base64_len = (size_t)(strstr(text, "-----END") - base64);
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        struct bench b;
        begin(&b);
        (void)enter(&b, "set key");
        const char *out = feed(&b, text, cut);
        assert_false(leaks(out, strlen(out), (const uint8_t *)base64, base64_len));
        out = type(&b, cut == strlen(text) ? ".\r" : "\x03");
        if (cut == strlen(text))
            assert_string_equal(out, "\r\nok 121 bytes; save keeps them\r\n> ");
        else assert_ends(out, "^C\r\nerror: cancelled; the setting is as it was\r\n> ");
        assert_false(leaks(&b.console, sizeof b.console, der, sizeof der));
        assert_false(leaks(&b.console, sizeof b.console, (const uint8_t *)base64, base64_len));
        assert_int_equal(b.console.pem.bits, 0);
        out = enter(&b, "show");
        if (cut == strlen(text)) has(out, "key              set, 121 bytes  (not saved)\r\n");
        else assert_false(fk_store_drafting(&b.store));
        assert_false(leaks(out, strlen(out), der, sizeof der));
        end(&b);
    }
}

static void paste_refused(void **state) {
    (void)state;
    static const struct {
        const char *setting, *text, *error;
    } rows[] = {
        {"ca", "", "error: line 0: no certificate was in it"},
        {"ca", "MAEA\r", "error: line 1: no certificate was in it"},
        {"key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\rMAEA\r", "error: line 1: the key is encry"},
        {"ca", "-----BEGIN CERTIFICATE-----\rMA!A\rMAEA\r", "error: line 2: this is not base64"},
        {"ca",
         "-----BEGIN CERTIFICATE-----\rMA\xc3\xa9"
         "EA\r",
         "error: line 2: this is not base64"},
        {"ca", "-----BEGIN CERTIFICATE-----\r\xff\rMAEA\r-----END CERTIFICATE-----\r",
         "error: line 2: this is not base64"},
        {"ca", "-----BEGIN CERTIFICATE-----\rMAEA\r", "error: line 2: the block has no END line"},
        {"key", "-----BEGIN CERTIFICATE-----\rMAEA\r-----END CERTIFICATE-----\r",
         "error: line 3: no private key was in it"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench b;
        char line[16];
        begin(&b);
        (void)enter(&b, "set hostname one");
        (void)snprintf(line, sizeof line, "set %s", rows[i].setting);
        (void)enter(&b, line);
        lacks(type(&b, rows[i].text), "error");
        const char *answer = type(&b, ".\r");
        has(answer, rows[i].error);
        assert_answered(answer + 2);
        answer = enter(&b, "show"); /* the rest of the draft stays */
        has(answer, "hostname         one  (not saved)\r\n");
        has(answer, "(not set, required)\r\n");
        end(&b);
    }
}

/* The prompt counts on behind a line that was wrong: who pastes a line at a time waits for it. */
static void paste_counts_on(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    assert_ends(enter(&b, "set ca"), "\r\n1| ");
    assert_ends(type(&b, "-----BEGIN CERTIFICATE-----\r"), "\r\n2| ");
    assert_ends(type(&b, "MA!A\r"), "\r\n3| ");
    assert_ends(type(&b, "MAEA\r"), "\r\n4| ");
    assert_ends(type(&b, "-----END CERTIFICATE-----\r"), "\r\n5| ");
    has(type(&b, ".\r"), "error: line 2: this is not base64");
    end(&b);
}

/* A line too long for the console is no base64 either, though it begins like it. */
static void paste_overlong(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    char line[FK_CONSOLE_LINE_MAX + 2];
    memset(line, 'M', sizeof line);
    line[FK_CONSOLE_LINE_MAX] = '\r';
    (void)enter(&b, "set ca");
    (void)feed(&b, line, FK_CONSOLE_LINE_MAX + 1); /* outside of a block it is text */
    (void)type(&b, "-----BEGIN CERTIFICATE-----\rMAEA\r-----END CERTIFICATE-----\r");
    assert_string_equal(type(&b, ".\r"), "\r\nok 3 bytes; save keeps them\r\n> ");
    (void)enter(&b, "set ca");
    (void)type(&b, "-----BEGIN CERTIFICATE-----\r");
    (void)feed(&b, line, FK_CONSOLE_LINE_MAX + 1);
    has(type(&b, ".\r"), "error: line 2: this is not base64");
    assert_bytes(drafted(&b, FK_SETTING_CA), "\x30\x01\x00", 3); /* as it was before */
    end(&b);
}

static void paste_up_to_the_bound(void **state) {
    (void)state;
    static uint8_t der[FK_STORE_VALUE_MAX + 1];
    static char text[8192];
    for (size_t len = FK_STORE_VALUE_MAX; len <= FK_STORE_VALUE_MAX + 1; len++) {
        struct bench b;
        begin(&b);
        make_der(der, len, 1);
        text[0] = '\0';
        add_block(text, "CERTIFICATE", der, len);
        (void)enter(&b, "set hostname one");
        (void)enter(&b, "set ca");
        (void)type(&b, text);
        assert_ends(type(&b, ".\r"), len == FK_STORE_VALUE_MAX
                                         ? "\r\nok 4096 bytes; save keeps them\r\n> "
                                         : "\r\nerror: more than 4096 bytes; leave certificates "
                                           "out\r\n> ");
        has(enter(&b, "show"), "hostname         one  (not saved)\r\n");
        assert_int_equal(drafted(&b, FK_SETTING_CA).len, len == FK_STORE_VALUE_MAX ? len : 0);
        end(&b);
    }
}

/* A key where a command should be: not echoed, not quoted, not executed. */
static void stray_block(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    has(enter(&b, "-----BEGIN PRIVATE KEY-----"), "error: a PEM block without a setting; type set "
                                                  "NAME before it.");
    assert_string_equal(type(&b, "MAEA\rreboot\r"), "\r\n2| \r\n3| ");
    assert_string_equal(type(&b, "-----END PRIVATE KEY-----\r"), "\r\n> ");
    (void)enter(&b, "-----BEGIN PRIVATE KEY-----");
    assert_string_equal(type(&b, ".\r"), "\r\n> ");
    (void)enter(&b, "-----BEGIN PRIVATE KEY-----");
    assert_ends(type(&b, "MAE\x03"), "\r\n> ");
    assert_answered(enter(&b, "show"));
    assert_int_equal(b.reboots, 0);
    assert_false(fk_store_drafting(&b.store));
    end(&b);
}

/* The rest of what is pasted is not taken for commands once flash has failed. */
static void flash_fails_while_pasting(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    uint8_t der[700];
    make_der(der, sizeof der, 1);
    char text[2048] = "";
    add_block(text, "CERTIFICATE", der, sizeof der);
    strcat(text, "reboot\r");
    (void)enter(&b, "set ca");
    b.flash.fault = FLASH_ERROR;
    b.flash.cut_at = b.flash.ops + 1;
    lacks(type(&b, text), "error");
    assert_ends(
        type(&b, ".\r"),
        "error: the flash failed; what was not saved is lost: set it again, then save\r\n> ");
    assert_int_equal(b.reboots, 0);
    assert_ends(enter(&b, "show"), "\r\nok\r\n> ");
    end(&b);
}

/* ---- the line ----------------------------------------------------------------------------------
 */

static void editing(void **state) {
    (void)state;
    static const struct {
        const char *typed, *executed;
    } rows[] = {
        {"helx\x7fp", "help"},
        {"helx\bp", "help"},
        {"\b\x7fhelp", "help"},
        {"nonsense\x15help", "help"},
        {"nonsense\x03help", "help"},
        {"\x1b[A\x1b[1;5Chelp\x1b[3~\x1bOP", "help"},
        {"he\x1bxlp", "help"},
        {"he\x1b\x1b[Dlp", "help"},
        {"he\x1b[12\x7flp", "hlp"}, /* DEL ends a sequence and acts */
        {"unset\thostname", "unset hostname"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench b;
        begin(&b);
        (void)type(&b, rows[i].typed);
        assert_int_equal(b.console.len, strlen(rows[i].executed));
        assert_memory_equal(b.console.line, rows[i].executed, b.console.len);
        assert_int_equal(b.console.dropped, 0);
        end(&b);
    }
}

static void echoes(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    assert_string_equal(type(&b, "ab"), "ab");
    assert_string_equal(type(&b, "\b"), "\b \b");
    assert_string_equal(type(&b, "\x15"), "\r\x1b[K> ");
    assert_string_equal(type(&b, "\b\x1b[A"), "");
    assert_string_equal(type(&b, "x\x03"), "x^C\r\n> ");
    end(&b);
}

static void line_ends(void **state) {
    (void)state;
    static const struct {
        const char *typed;
        unsigned lines;
    } rows[] = {{"\r", 1}, {"\n", 1}, {"\r\n", 1}, {"\n\r", 2}, {"\r\r\n\n", 3}, {"\r\x03\n", 3}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench b;
        begin(&b);
        unsigned lines = 0;
        for (const char *p = rows[i].typed; *p != '\0'; p++)
            lines += strstr(feed(&b, p, 1), "\r\n> ") != NULL;
        assert_int_equal(lines, rows[i].lines);
        end(&b);
    }
}

static void overlong(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    static char line[10001];
    static const size_t lens[] = {FK_CONSOLE_LINE_MAX - 1, FK_CONSOLE_LINE_MAX, 10000};
    for (size_t i = 0; i < 3; i++) {
        memset(line, ' ', lens[i]);
        memcpy(line, "show", 4);
        const char *echo = feed(&b, line, lens[i]);
        assert_int_equal(strlen(echo), FK_CONSOLE_LINE_MAX - 1);
        /* takes nothing back of a line that is refused anyway */
        assert_string_equal(type(&b, "\b"), i == 0 ? "\b \b" : "");
        assert_ends(type(&b, "\r"),
                    i == 0 ? "\r\nok\r\n> " : "\r\nerror: the line is too long; shorten it\r\n> ");
        assert_answered(enter(&b, "show"));
    }
    (void)feed(&b, line, 10000);
    (void)type(&b, "\x15");
    assert_answered(enter(&b, "show"));
    end(&b);
}

/* The longest server that there can be fits with its command. */
static void longest_values_fit(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    char host[254], line[512];
    memset(host, 'a', sizeof host);
    for (size_t i = 63; i < 253; i += 64) host[i] = '.';
    host[253] = '\0';
    (void)snprintf(line, sizeof line, "set server https://%s:65535", host);
    assert_ends(enter(&b, line), "ok server is set; save keeps it\r\n> ");
    has(enter(&b, "show"), line + strlen("set server "));
    (void)snprintf(line, sizeof line, "set tls-server-name %s", host);
    assert_ends(enter(&b, line), "ok tls-server-name is set; save keeps it\r\n> ");
    end(&b);
}

static void unprintable(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    assert_string_equal(feed(&b, "sh\0\xff\x01ow", 7), "show");
    assert_string_equal(type(&b, "\r"), "\r\nerror: 3 bytes of this line were lost or are not "
                                        "printable ASCII; type it again\r\n> ");
    assert_answered(enter(&b, "show"));
    static char noise[70000];
    (void)feed(&b, noise, sizeof noise);
    has(type(&b, "\r"), "error: 65535 bytes of this line");
    (void)type(&b, "\xff\x15");
    assert_answered(enter(&b, "show"));
    end(&b);
}

static void log_lines_between(void **state) {
    (void)state;
    struct bench b;
    begin(&b);
    (void)type(&b, "set ser");
    b.out_len = 0;
    log_line(&b, "I 1.000 heard");
    assert_string_equal(b.out, "\r\x1b[KI 1.000 heard\r\n> set ser");
    assert_ends(type(&b, "ver https://a\r"), "\r\nok server is set; save keeps it\r\n> ");
    (void)enter(&b, "set key");
    (void)type(&b, "-----BEGIN PRI");
    b.out_len = 0;
    log_line(&b, "I 2.000 heard");
    assert_string_equal(b.out, "\r\x1b[KI 2.000 heard\r\n1| ");
    end(&b);
}

/* ---- anything ----------------------------------------------------------------------------------
 */

static const char session[] = "help\rset server https://a.example:6443\rset labels a=b,c=d\r"
                              "set ca\r-----BEGIN CERTIFICATE-----\rMAEA\r"
                              "-----END CERTIFICATE-----\r.\rset key\r"
                              "-----BEGIN PRIVATE KEY-----\rMAEA\r-----END PRIVATE KEY-----\r.\r"
                              "show\runset labels\rdiscard\rset hostname h\rsave\rstatus\rreboot\r"
                              "factory-reset yes\r";

/* Whatever was before, Ctrl-C leads back to a prompt and the next command is answered. */
static void assert_recovers(struct bench *b) {
    assert_ends(type(b, "\x03"), "\r\n> ");
    const char *answer = enter(b, "show");
    assert_answered(answer);
    has(answer, "tls-server-name  ");
}

static void every_cut(void **state) {
    (void)state;
    for (size_t cut = 0; cut <= sizeof session - 1; cut++) {
        struct bench b;
        begin(&b);
        (void)feed(&b, session, cut);
        assert_recovers(&b);
        end(&b);
    }
}

static void byte_by_byte(void **state) {
    (void)state;
    struct bench whole, bytes;
    begin(&whole);
    begin(&bytes);
    const char *expected = type(&whole, session);
    char *got = calloc(1, strlen(expected) + 1);
    assert_non_null(got);
    for (const char *p = session; *p != '\0'; p++) strcat(got, feed(&bytes, p, 1));
    assert_string_equal(got, expected);
    free(got);
    end(&whole);
    end(&bytes);
}

/* Bytes that mean something to the console are more frequent than chance would have them. */
static void noise(void **state) {
    (void)state;
    static const char meant[] = "\r\n\x03\x15\b\x1b[.-=";
    uint64_t rng = 88172645463325252u;
    struct bench b;
    begin(&b);
    for (int round = 0; round < 2000; round++) {
        uint8_t bytes[64];
        for (size_t i = 0; i < sizeof bytes; i++) {
            rng ^= rng << 13;
            rng ^= rng >> 7;
            rng ^= rng << 17;
            const uint8_t byte = (uint8_t)(rng >> 24);
            bytes[i] = byte < 64 ? (uint8_t)meant[byte % (sizeof meant - 1)] : (uint8_t)(rng >> 40);
        }
        if (round % 3 == 0) (void)type(&b, "set ca\r-----BEGIN CERTIFICATE-----\r");
        (void)feed(&b, bytes, sizeof bytes);
        assert_recovers(&b);
    }
    end(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(help_lists_everything),
        cmocka_unit_test(status_prints_pairs),
        cmocka_unit_test(set_show_save),
        cmocka_unit_test(unset_and_discard),
        cmocka_unit_test(bad_values_are_refused_in_words),
        cmocka_unit_test(waits_for_the_reboot),
        cmocka_unit_test(factory_reset),
        cmocka_unit_test(text_from_flash_moves_no_cursor),
        cmocka_unit_test(flash_fails),
        cmocka_unit_test(flash_is_full),
        cmocka_unit_test(no_flash),
        cmocka_unit_test(settings_of_a_later_version),
        cmocka_unit_test(chain_of_certificates),
        cmocka_unit_test(half_a_pair_is_not_saved),
        cmocka_unit_test(key_leaves_no_trace),
        cmocka_unit_test(paste_refused),
        cmocka_unit_test(paste_counts_on),
        cmocka_unit_test(paste_overlong),
        cmocka_unit_test(paste_up_to_the_bound),
        cmocka_unit_test(stray_block),
        cmocka_unit_test(flash_fails_while_pasting),
        cmocka_unit_test(editing),
        cmocka_unit_test(echoes),
        cmocka_unit_test(line_ends),
        cmocka_unit_test(overlong),
        cmocka_unit_test(longest_values_fit),
        cmocka_unit_test(unprintable),
        cmocka_unit_test(log_lines_between),
        cmocka_unit_test(every_cut),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
