#include "firmware/console_internal.h"

/* The setting of a PEM block that came without "set": nobody's. */
#define STRAY 0xff
#define QUOTED_MAX 24  /* bytes of what was typed that an error repeats */
#define REASON_MAX 192 /* bytes of a sentence why a value is refused */

/* Stored form of what a line holds; see fk_setting_encode. */
#define LIST_MAX (FK_CONSOLE_LINE_MAX + FK_TAINTS_MAX + 1)
#define STORED_MAX (FK_SETTING_STORED_MAX > LIST_MAX ? FK_SETTING_STORED_MAX : LIST_MAX)

/* ---- the draft -------------------------------------------------------------------------------
 */

static const char *store_problem(const struct fk_console *c, int err) {
    switch (err) {
    case FK_E_BUSY: return "saved settings wait for a reboot; type reboot, then go on";
    case FK_E_CONFIG:
        return fk_store_newer(c->store) ? "the settings are of a later version; load that version "
                                          "again, or type factory-reset"
                                        : "this board has no flash for settings that is usable";
    case FK_E_NOMEM:
        return "the flash is full; what was not saved is lost: set it again, then save";
    default: return "the flash failed; what was not saved is lost: set it again, then save";
    }
}

/* Whether save would change anything. */
static bool changed(const struct fk_console *c) {
    struct fk_bytes value;
    for (size_t i = 0; i < fk_setting_count; i++)
        if (fk_store_drafted(c->store, fk_setting_table[i].number, &value)) return true;
    return false;
}

/* The value that save would leave. */
static struct fk_bytes value_of(const struct fk_console *c, const struct fk_setting *setting) {
    struct fk_bytes value;
    if (fk_store_drafted(c->store, setting->number, &value)) return value;
    return fk_store_get(c->store, setting->number);
}

static int put_value(struct fk_console *c, uint8_t number, struct fk_bytes value) {
    int err = fk_store_begin(c->store);
    if (err == 0) err = fk_store_put(c->store, number, value.len);
    return err != 0 ? err : fk_store_write(c->store, value.p, value.len);
}

/* ---- pasting ---------------------------------------------------------------------------------
 */

static void begin_paste(struct fk_console *c, uint8_t number) {
    const bool key = number == FK_SETTING_KEY || number == FK_SETTING_SERVER_KEY;
    fk_pem_begin(&c->pem, key ? FK_PEM_KEY : FK_PEM_CERTIFICATES);
    c->pasting = number;
    c->paste_len = 0;
    c->paste_err = 0;
}

static void end_paste(struct fk_console *c) {
    begin_paste(c, 0); /* the decoder may hold bits of a key */
}

void fk_console_paste_drop(struct fk_console *c) {
    if (fk_store_drop(c->store) == 0 && !changed(c)) fk_store_abandon(c->store);
    end_paste(c);
}

static void set_pem(struct fk_console *c, const struct fk_setting *setting) {
    int err = fk_store_begin(c->store);
    if (err == 0) err = fk_store_put(c->store, setting->number, FK_STORE_LEN_UNKNOWN);
    if (err != 0) {
        fk_console_answer_error(c, store_problem(c, err));
        return;
    }
    begin_paste(c, setting->number);
    fk_console_say(c, "paste the PEM text (it is not echoed), then a line with a single dot; "
                      "Ctrl-C cancels\r\n");
}

static void answer_paste(struct fk_console *c) {
    if (c->paste_err == FK_E_CONFIG) {
        fk_console_say(c, "error: more than ");
        fk_console_say_num(c, FK_STORE_VALUE_MAX);
        fk_console_answer(c, " bytes; leave certificates out", "", "");
    } else if (c->paste_err != 0) {
        fk_console_answer_error(c, store_problem(c, c->paste_err));
    } else if (fk_pem_end(&c->pem) != 0) {
        fk_console_say(c, "error: line ");
        fk_console_say_num(c, c->pem.bad_line);
        fk_console_answer(c, ": ", fk_pem_problem(&c->pem), "");
    } else if ((c->paste_err = (int8_t)fk_store_end(c->store)) != 0) {
        fk_console_answer_error(c, store_problem(c, c->paste_err));
    } else {
        fk_console_say(c, "ok ");
        fk_console_say_num(c, c->paste_len);
        fk_console_answer(c, " bytes; save keeps them", "", "");
    }
    fk_console_paste_drop(c); /* nothing, when it was ended */
}

/* Errors wait for the dot: the rest of what is pasted must not be taken for commands. */
void fk_console_paste_line(struct fk_console *c) {
    const bool stray = c->pasting == STRAY;
    const struct fk_bytes line = fk_bytes(c->line, c->len);
    const bool dot = fk_bytes_is(line, ".");
    if (stray && (dot || fk_bytes_starts(line, "-----END"))) end_paste(c);
    else if (dot) answer_paste(c);
    if (dot || c->pasting == 0) return;
    if (c->overlong || c->dropped > 0) {
        c->line[0] = '?'; /* no base64; outside of blocks it is text like any other */
        c->len = 1;
    }
    const int got = fk_pem_line(&c->pem, c->line, c->len);
    if (got <= 0 || stray) return;
    c->paste_err = (int8_t)fk_store_write(c->store, c->line, (size_t)got);
    c->paste_len = (uint16_t)(c->paste_len + got);
}

/* A PEM block where a command should be may be a key: it is neither echoed nor quoted. */
static void begin_stray(struct fk_console *c) {
    fk_console_answer_error(
        c, "a PEM block without a setting; type set NAME before it. Its lines are passed "
           "over up to its end");
    begin_paste(c, STRAY);
}

/* ---- commands --------------------------------------------------------------------------------
 */

/* The next word of rest, taken off with the spaces around it. */
static struct fk_bytes take_word(struct fk_bytes *rest) {
    const uint8_t *p = rest->p, *const end = p + rest->len;
    while (p < end && *p == ' ') p++;
    const uint8_t *const word = p;
    while (p < end && *p != ' ') p++;
    const size_t len = (size_t)(p - word);
    while (p < end && *p == ' ') p++;
    *rest = fk_bytes(p, (size_t)(end - p));
    return fk_bytes(word, len);
}

static void answer_unknown(struct fk_console *c, const char *what, struct fk_bytes word) {
    fk_console_say(c, "error: no ");
    fk_console_say(c, what);
    fk_console_say(c, " \"");
    fk_console_say_bytes(c, fk_bytes(word.p, word.len < QUOTED_MAX ? word.len : QUOTED_MAX));
    fk_console_say(c, word.len > QUOTED_MAX ? "..." : "");
    fk_console_answer(c, "\"; ", "type help", "");
}

static void set_text(struct fk_console *c, const struct fk_setting *setting,
                     struct fk_bytes value) {
    char stored[STORED_MAX];
    char reason[REASON_MAX];
    struct fk_writer out, why;
    fk_writer_init(&out, stored, sizeof stored);
    fk_writer_init(&why, reason, sizeof reason);
    if (fk_setting_encode(setting, value, &out, &why) != 0) {
        fk_console_say(c, "error: ");
        fk_console_say(c, setting->name);
        fk_console_say(c, ": ");
        fk_console_say_clean(c, fk_bytes(reason, fk_writer_kept(&why)));
        fk_console_say(c, "\r\n");
        return;
    }
    const int err = put_value(c, setting->number, fk_bytes(stored, fk_writer_kept(&out)));
    if (err != 0) fk_console_answer_error(c, store_problem(c, err));
    else fk_console_answer(c, "ok ", setting->name, " is set; save keeps it");
}

static void set(struct fk_console *c, struct fk_bytes rest) {
    const struct fk_bytes name = take_word(&rest);
    const struct fk_setting *setting = fk_setting_find(name);
    if (name.len == 0) {
        fk_console_answer_error(c, "type set NAME VALUE; show lists the names");
    } else if (setting == NULL) {
        answer_unknown(c, "setting", name);
    } else if (setting->kind == FK_SETTING_PEM) {
        if (rest.len == 0) set_pem(c, setting);
        else
            fk_console_answer(c, "error: type set ", setting->name,
                              " alone and paste PEM behind it");
    } else if (rest.len == 0) {
        fk_console_say(c, "error: a value is missing; type set ");
        fk_console_say(c, setting->name);
        fk_console_answer(c, " ", setting->argument, ", or unset to remove it");
    } else {
        set_text(c, setting, rest);
    }
}

static void unset(struct fk_console *c, struct fk_bytes rest) {
    const struct fk_bytes name = take_word(&rest);
    const struct fk_setting *setting = fk_setting_find(name);
    if (name.len == 0) {
        fk_console_answer_error(c, "type unset NAME; show lists the names");
        return;
    }
    if (setting == NULL) {
        answer_unknown(c, "setting", name);
        return;
    }
    const int err = put_value(c, setting->number, fk_bytes(NULL, 0));
    if (err != 0) fk_console_answer_error(c, store_problem(c, err));
    else fk_console_answer(c, "ok ", setting->name, " is not set; save keeps it so");
}

static void show_value(struct fk_console *c, const struct fk_setting *setting) {
    const struct fk_bytes value = value_of(c, setting);
    if (value.len == 0) {
        fk_console_say(c, setting->required ? "(not set, required)" : "(not set)");
    } else if (setting->secret || setting->kind == FK_SETTING_PEM) {
        fk_console_say(c, "set, ");
        fk_console_say_num(c, (int64_t)value.len);
        fk_console_say(c, " bytes");
    } else {
        char text[FK_CONSOLE_LINE_MAX];
        struct fk_writer w;
        fk_writer_init(&w, text, sizeof text);
        fk_setting_decode(setting, value, &w);
        fk_console_say_clean(c, fk_bytes(text, fk_writer_kept(&w)));
        fk_console_say(c, w.err != 0 ? "..." : "");
    }
}

static void show(struct fk_console *c, struct fk_bytes rest) {
    (void)rest;
    for (size_t i = 0; i < fk_setting_count; i++) {
        const struct fk_setting *setting = &fk_setting_table[i];
        struct fk_bytes value;
        fk_console_say_padded(c, setting->name);
        show_value(c, setting);
        const bool drafted = fk_store_drafted(c->store, setting->number, &value);
        fk_console_say(c, drafted ? "  (not saved)\r\n" : "\r\n");
    }
    if (changed(c)) fk_console_say(c, "ok (not saved; type save or discard)\r\n");
    else if (fk_store_waits(c->store)) fk_console_say(c, "ok (saved; reboot to use)\r\n");
    else fk_console_say(c, "ok\r\n");
}

/* The required settings that the record lacks, behind the answer to save. */
static void say_missing(struct fk_console *c) {
    const char *before = "; still missing: ";
    for (size_t i = 0; i < fk_setting_count; i++) {
        const struct fk_setting *setting = &fk_setting_table[i];
        if (!setting->required || value_of(c, setting).len > 0) continue;
        fk_console_say(c, before);
        fk_console_say(c, setting->name);
        before = ", ";
    }
}

static bool will_be_set(const struct fk_console *c, const char *name) {
    return value_of(c, fk_setting_find(fk_bytes_str(name))).len > 0;
}

static void save(struct fk_console *c, struct fk_bytes rest) {
    (void)rest;
    if (!changed(c)) {
        fk_console_say(c, "ok nothing was changed\r\n");
        return;
    }
    if (will_be_set(c, "server-cert") != will_be_set(c, "server-key")) {
        fk_console_answer_error(c,
                                "server-cert and server-key go together: set both or unset both");
        return;
    }
    const int err = fk_store_commit(c->store);
    if (err != 0) {
        fk_console_answer_error(c, store_problem(c, err));
        return;
    }
    fk_console_say(c, "ok saved; reboot to use");
    say_missing(c);
    fk_console_say(c, "\r\n");
}

static void discard(struct fk_console *c, struct fk_bytes rest) {
    (void)rest;
    fk_store_abandon(c->store);
    fk_console_say(c, "ok the settings are as they were saved\r\n");
}

static void status(struct fk_console *c, struct fk_bytes rest) {
    (void)rest;
    c->ops->status(c->ctx, c);
    fk_console_say(c, "ok\r\n");
}

static void reboot(struct fk_console *c, struct fk_bytes rest) {
    (void)rest;
    if (changed(c)) {
        fk_console_answer_error(c,
                                "there are changes that are not saved; type save or discard first");
        return;
    }
    fk_console_say(c, "ok rebooting\r\n");
    c->ops->reboot(c->ctx);
}

/* The node refers to its settings in flash: nothing may run on once they are erased. */
static void factory_reset(struct fk_console *c, struct fk_bytes rest) {
    if (!fk_bytes_is(rest, "yes")) {
        fk_console_answer_error(c, "this erases all settings, the key too; type factory-reset yes");
        return;
    }
    int err = c->ops->forget != NULL ? c->ops->forget(c->ctx) : 0;
    if (err == 0) err = fk_store_erase(c->store);
    if (err != 0) {
        fk_console_answer_error(c, err == FK_E_CONFIG ? store_problem(c, err)
                                                      : "the flash failed and may still hold "
                                                        "settings; rebooting, then type it again");
        if (err != FK_E_CONFIG) c->ops->reboot(c->ctx); /* what the node runs on may be gone */
        return;
    }
    fk_console_say(c, "ok all settings are erased; rebooting\r\n");
    c->ops->reboot(c->ctx);
}

static void help(struct fk_console *c, struct fk_bytes rest);

static const struct command {
    const char *name, *help;
    void (*run)(struct fk_console *c, struct fk_bytes rest);
} commands[] = {
    {"help", "this", help},
    {"show", "all settings, as save would leave them", show},
    {"set", "NAME VALUE; or NAME alone and PEM behind it", set},
    {"unset", "NAME: back to its default", unset},
    {"save", "keep what was set; used from the next reboot on", save},
    {"discard", "forget what was set and not saved", discard},
    {"status", "how the node fares", status},
    {"reboot", "start again", reboot},
    {"factory-reset", "erase all settings; wants the word yes", factory_reset},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void help(struct fk_console *c, struct fk_bytes rest) {
    (void)rest;
    for (size_t i = 0; i < COMMANDS; i++) fk_console_pair(c, commands[i].name, commands[i].help, 0);
    fk_console_say(c, "settings:\r\n");
    for (size_t i = 0; i < fk_setting_count; i++) {
        const struct fk_setting *setting = &fk_setting_table[i];
        fk_console_say_padded(c, setting->name);
        fk_console_say(c, setting->kind == FK_SETTING_PEM ? "PEM" : setting->argument);
        fk_console_answer(c, ": ", setting->help, "");
    }
    fk_console_say(c, "ok\r\n");
}

void fk_console_run(struct fk_console *c) {
    struct fk_bytes rest = fk_bytes(c->line, c->len);
    while (rest.len > 0 && rest.p[rest.len - 1] == ' ') rest.len--;
    const struct fk_bytes word = take_word(&rest);
    if (word.len == 0) return;
    if (fk_bytes_starts(word, "-----BEGIN")) {
        begin_stray(c);
        return;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (!fk_bytes_is(word, commands[i].name)) continue;
        commands[i].run(c, rest);
        return;
    }
    answer_unknown(c, "command", word);
}
