/* What an operator tells a board: names, syntax and meaning of each setting, and the way from a
 * record in flash to the node's configuration. Owns no storage and prints nothing. */
#ifndef FK_FIRMWARE_SETTINGS_H
#define FK_FIRMWARE_SETTINGS_H

#include "api/server_url.h"
#include "base/writer.h"
#include "firmware/store.h"
#include "kubelet/config.h"

/* Numbers in the record. They are never used again for something else. */
enum fk_setting_number {
    FK_SETTING_SERVER = 1,          /* host:port, 0, host, 0: both are used in place */
    FK_SETTING_CA = 2,              /* DER, one or several certificates */
    FK_SETTING_CERT = 3,            /* DER, leaf first */
    FK_SETTING_KEY = 4,             /* DER: SEC 1, PKCS #1 or PKCS #8; secret */
    FK_SETTING_NODE_NAME = 5,       /* zero-terminated as all texts */
    FK_SETTING_HOSTNAME = 6,        /* default: the node's name */
    FK_SETTING_LABELS = 7,          /* key, 0, value, 0, ... */
    FK_SETTING_TAINTS = 8,          /* key, 0, value, 0, effect, 0, ...; a single 0: none */
    FK_SETTING_TLS_SERVER_NAME = 9, /* default: the server's host */
    FK_SETTING_LEASE_S = 10,        /* decimal text, as the following ones */
    FK_SETTING_STATUS_UPDATE_S = 11,
    FK_SETTING_STATUS_REPORT_S = 12,
    FK_SETTING_LOG_LEVEL = 13, /* error, warn, info or debug */
    /* of the kubelet's own port */
    FK_SETTING_CLIENT_CA = 14,       /* DER, one or several certificates */
    FK_SETTING_SERVER_CERT = 15,     /* DER, leaf first; with SERVER_KEY or not at all */
    FK_SETTING_SERVER_KEY = 16,      /* DER; secret */
    FK_SETTING_PORT = 17,            /* decimal text; 0: no server */
    FK_SETTING_API_SERVER_USER = 18, /* the CN that is always allowed */
    FK_SETTING_OPEN_HEALTH = 19,     /* yes or no */
    FK_SETTING_CONFIG_MAP = 20,      /* NAMESPACE/NAME,... */
    FK_SETTING_AUTH_CACHE_S = 21,    /* decimal text */
    FK_SETTING_LED_BRIGHTNESS = 22,  /* percent, decimal text */
};

enum fk_setting_kind {
    FK_SETTING_TEXT,       /* given on the line of its command */
    FK_SETTING_LABEL_LIST, /* k=v,k=v on the line; split when stored */
    FK_SETTING_TAINT_LIST, /* k=v:Effect,k:Effect; likewise */
    FK_SETTING_PEM,        /* pasted as PEM on the lines behind the command; stored as DER */
};

struct fk_setting {
    uint8_t number;
    uint8_t kind; /* enum fk_setting_kind */
    bool secret;  /* never shown, never echoed */
    bool required;
    const char *name;     /* "server"; as on the console, at most 17 bytes */
    const char *argument; /* "NAME": what a value looks like; "" for PEM */
    const char *help;     /* one line */
};
extern const struct fk_setting fk_setting_table[];
extern const size_t fk_setting_count;
const struct fk_setting *fk_setting_find(struct fk_bytes name); /* NULL: no such */

/* Longest stored form of a text, bytes: a server whose host name is the longest. A list may have
 * more than that; of one line its stored form is at most FK_TAINTS_MAX + 1 bytes longer. */
#define FK_SETTING_STORED_MAX (FK_AUTHORITY_MAX + 1 + FK_HOST_MAX + 1)

/* A text or list as typed: checks it and writes its stored form into out (kinds TEXT and LIST). 0;
 * FK_E_CONFIG or, when out is too small, FK_E_RANGE, with a sentence in why that says what would be
 * right; out holds nothing of use then. An empty list has an empty stored form, which means "not
 * set"; "none" asks for no taints. */
int fk_setting_encode(const struct fk_setting *setting, struct fk_bytes value,
                      struct fk_writer *out, struct fk_writer *why);

/* The stored form of a text or list as it would be typed (kinds TEXT and LIST). Of bytes that no
 * encode has written, as much as makes sense. */
void fk_setting_decode(const struct fk_setting *setting, struct fk_bytes stored,
                       struct fk_writer *out);

/* A record, ready for use; everything refers to the flash in place. */
struct fk_settings {
    struct fk_bytes ca, cert, key;
    const char *authority; /* host:port, with brackets where needed */
    const char *host;      /* without brackets */
    const char *tls_server_name;
    uint16_t port;
    uint8_t log_level;      /* enum fk_level */
    uint8_t led_brightness; /* percent */

    /* The kubelet's own port; its number is node.kubelet_port. Views of length 0: not set. Whether
     * they are of use is for the port to find: the node does not depend on it. */
    struct fk_bytes client_ca, server_cert, server_key;
    const char *api_server_user; /* "": nobody is always allowed */
    const char *config_maps;     /* "default/rack-1,..."; "": none */
    bool open_health;
    uint32_t authn_hit_ms, authn_miss_ms, authz_allowed_ms, authz_denied_ms;

    struct fk_node_config node; /* system is all "", resources are cpu 240m, memory 320Ki and pods
                                 * 0: the port fills in what it knows */
};

/* The active record. 0; FK_E_CONFIG and in why which setting is missing or wrong, for a person at
 * the console ("node-name is not set: type set node-name NAME"). */
int fk_settings_load(struct fk_settings *out, const struct fk_store *store, struct fk_writer *why);

#endif
