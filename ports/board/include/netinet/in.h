/* See arpa/inet.h. */
#include <arpa/inet.h>
