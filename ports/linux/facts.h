/* What this host is, in the words of v1.NodeSystemInfo, and who its gateway is. */
#ifndef FK_PORTS_LINUX_FACTS_H
#define FK_PORTS_LINUX_FACTS_H

#include <stdint.h>

/* "" where the host does not say. */
struct fk_machine {
    char hostname[256]; /* lower case, as the upstream kubelet takes it for the node's name */
    char machine_id[65];
    char system_uuid[65];
    char boot_id[65];
    char kernel_version[65];
    char architecture[65]; /* as Go calls it: amd64, arm64, arm … */
};

void fk_machine_read(struct fk_machine *machine);

/* Go's name for what uname calls a machine; unknown ones stay as they are. */
const char *fk_machine_arch(const char *uname_machine);

/* The MAC address of the gateway of the IPv4 default route, as a number; 0 while unknown. */
uint64_t fk_gateway_read(void);

/* The same from the text of /proc/net/route and /proc/net/arp. */
uint64_t fk_gateway_find(const char *route, const char *arp);

#endif
