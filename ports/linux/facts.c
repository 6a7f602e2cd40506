#include "linux/facts.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* ---- files of one line, and small tables ----------------------------------------------------- */

/* What fits of a file, terminated; "" when it cannot be read. */
static void read_text(const char *path, char *text, size_t cap) {
    text[0] = '\0';
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    size_t len = 0;
    for (ssize_t got = 1; got > 0 && len<cap - 1; len += got> 0 ? (size_t)got : 0)
        got = read(fd, text + len, cap - 1 - len);
    text[len] = '\0';
    (void)close(fd);
}

static void read_line(const char *path, char *text, size_t cap) {
    read_text(path, text, cap);
    text[strcspn(text, "\r\n")] = '\0';
}

static const char *next_line(const char *line) {
    line += strcspn(line, "\n");
    return *line == '\n' ? line + 1 : line;
}

/* ---- the machine ----------------------------------------------------------------------------- */

const char *fk_machine_arch(const char *uname_machine) {
    static const char names[][2][12] = {
        {"x86_64", "amd64"},    {"i386", "386"},
        {"i686", "386"},        {"aarch64", "arm64"},
        {"armv6l", "arm"},      {"armv7l", "arm"},
        {"armv8l", "arm"},      {"loongarch64", "loong64"},
        {"mips", "mips"},       {"ppc64le", "ppc64le"},
        {"riscv64", "riscv64"}, {"s390x", "s390x"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(uname_machine, names[i][0]) == 0) return names[i][1];
    return uname_machine;
}

static void lower(char *text) {
    for (; *text != '\0'; text++)
        if (*text >= 'A' && *text <= 'Z') *text = (char)(*text - 'A' + 'a');
}

void fk_machine_read(struct fk_machine *m) {
    memset(m, 0, sizeof *m);
    struct utsname name;
    if (uname(&name) == 0) {
        (void)snprintf(m->hostname, sizeof m->hostname, "%s", name.nodename);
        (void)snprintf(m->kernel_version, sizeof m->kernel_version, "%.64s", name.release);
        (void)snprintf(m->architecture, sizeof m->architecture, "%.64s",
                       fk_machine_arch(name.machine));
    }
    lower(m->hostname);
    read_line("/etc/machine-id", m->machine_id, sizeof m->machine_id);
    read_line("/proc/sys/kernel/random/boot_id", m->boot_id, sizeof m->boot_id);
    /* Root only, on most hosts. */
    read_line("/sys/class/dmi/id/product_uuid", m->system_uuid, sizeof m->system_uuid);
}

/* ---- the gateway ----------------------------------------------------------------------------- */

struct route {
    char interface[16];
    uint32_t gateway; /* as the kernel prints it: network order read as a number of this machine */
    unsigned metric;
};

/* The default route with the smallest metric: the one that the kernel takes. */
static bool default_route(const char *text, struct route *best) {
    bool found = false;
    for (const char *line = next_line(text); *line != '\0'; line = next_line(line)) {
        struct route r;
        unsigned destination, gateway, mask;
        if (sscanf(line, "%15s %x %x %*x %*u %*u %u %x", r.interface, &destination, &gateway,
                   &r.metric, &mask) != 5)
            continue;
        if (destination != 0 || mask != 0 || gateway == 0) continue;
        r.gateway = gateway;
        if (found && r.metric >= best->metric) continue;
        *best = r;
        found = true;
    }
    return found;
}

static uint64_t mac_of(const char *text) {
    unsigned b[6];
    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6)
        return 0;
    uint64_t mac = 0;
    for (size_t i = 0; i < 6; i++) mac = mac << 8 | b[i];
    return mac;
}

uint64_t fk_gateway_find(const char *route, const char *arp) {
    struct route gateway;
    char wanted[INET_ADDRSTRLEN];
    if (!default_route(route, &gateway)) return 0;
    const struct in_addr address = {gateway.gateway};
    if (inet_ntop(AF_INET, &address, wanted, sizeof wanted) == NULL) return 0;
    for (const char *line = next_line(arp); *line != '\0'; line = next_line(line)) {
        char ip[48], mac[24], interface[16];
        if (sscanf(line, "%47s %*s %*s %23s %*s %15s", ip, mac, interface) != 3) continue;
        if (strcmp(ip, wanted) == 0 && strcmp(interface, gateway.interface) == 0)
            return mac_of(mac);
    }
    return 0;
}

uint64_t fk_gateway_read(void) {
    char route[4096], arp[8192];
    read_text("/proc/net/route", route, sizeof route);
    read_text("/proc/net/arp", arp, sizeof arp);
    return fk_gateway_find(route, arp);
}
