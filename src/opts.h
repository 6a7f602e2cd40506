/* Every bound of the node: its meaning, its unit, what it costs in RAM.
 *
 * A board's build may override any of them with -D. Running into one is an ordinary answer: the
 * request, the reply or the item is refused with an error, and service goes on. */
#ifndef FK_OPTS_H
#define FK_OPTS_H

/* A board's own values, as the name of a header (boards/x_opts.h); -D alone does as well. */
#ifdef FK_BOARD_OPTS
#include FK_BOARD_OPTS
#endif

/* ---- TLS (link/) -------------------------------------------------------------------------- */

/* Largest TLS record payload that we can receive, bytes. Costs its size in RAM, plus about 70.
 * The server's largest handshake message (its certificate chain) must fit as well; everything
 * after the handshake is kept below it by HTTP/2 flow control. */
#ifndef FK_TLS_IN_MAX
#define FK_TLS_IN_MAX 4096
#endif

/* Largest TLS record payload that we send, bytes. Costs its size in RAM. Our own certificate
 * chain must fit. */
#ifndef FK_TLS_OUT_MAX
#define FK_TLS_OUT_MAX 2048
#endif

/* What of TLS is built in: 1 or 0 each, flash is their cost (Cortex-M3).
 * FK_TLS_1_2: version 1.2 beside 1.3, for a proxy that knows no better, 14 KB; API servers
 * know 1.3. FK_TLS_CHACHA: ChaCha20-Poly1305 beside AES-GCM, which every API server knows, 3 KB.
 * FK_TLS_SERVER: the server's side, for the kubelet's own port and for tests, 9 KB.
 * FK_TLS_P256M: P-256 by p256-m and no other curve, RSA keys of others only, and certificates in
 *     DER: 25 KB less, and 2.5 KB less RAM at the handshake's peak. */
#ifndef FK_TLS_1_2
#define FK_TLS_1_2 1
#endif
#ifndef FK_TLS_CHACHA
#define FK_TLS_CHACHA 1
#endif
#ifndef FK_TLS_SERVER
#define FK_TLS_SERVER 1
#endif
#ifndef FK_TLS_P256M
#define FK_TLS_P256M 0
#endif

/* ---- The kubelet's own port (wire/http1_server, kubelet/server, link/tls_server) ------------- */

/* Whether the kubelet's own port is built in: 1 or 0. */
#ifndef FK_SERVER
#define FK_SERVER 1
#endif

/* Connections to us at once, count: those that ask regularly (API server, metrics-server,
 * Prometheus) and a spare one. Costs some 900 bytes each, and of the server's heap
 * FK_SERVER_IN_BUF + FK_TLS_OUT_MAX + 1.5 KB while it is open, FK_HTTP1_BUF while it asks. */
#ifndef FK_SERVER_CONNECTIONS
#define FK_SERVER_CONNECTIONS 4
#endif

/* Of these, how many may be amid their handshake, which is when they take most memory, count.
 * Others wait for their turn. */
#ifndef FK_SERVER_HANDSHAKES
#define FK_SERVER_HANDSHAKES FK_SERVER_CONNECTIONS
#endif

/* What of a TLS record from a client is held at first, bytes of payload; a larger record (16 KB at
 * most) makes that connection's buffer grow while the server's heap allows. A ClientHello with a
 * post-quantum key share is 1.5 to 1.8 KB. */
#ifndef FK_SERVER_IN_BUF
#define FK_SERVER_IN_BUF 2048
#endif

/* A request's path, query and token together, bytes with their terminating zeros; afterwards the
 * same memory holds what is being sent. A service account's token is 0.9 to 1.3 KB. */
#ifndef FK_HTTP1_BUF
#define FK_HTTP1_BUF 2048
#endif

/* Path and query, bytes (414 beyond), and all header lines of a request (431 beyond). */
#ifndef FK_HTTP1_TARGET_MAX
#define FK_HTTP1_TARGET_MAX 512
#endif
#ifndef FK_HTTP1_HEAD_MAX
#define FK_HTTP1_HEAD_MAX 8192
#endif

/* A request's body, bytes (413 beyond). No endpoint wants one: it is read and dropped. */
#ifndef FK_HTTP1_BODY_MAX
#define FK_HTTP1_BODY_MAX 4096
#endif

/* One item of a document that is sent piece by piece (a metric family, a JSON object), bytes. */
#ifndef FK_HTTP1_ITEM_MAX
#define FK_HTTP1_ITEM_MAX 1024
#endif

/* Patience with clients, ms: for the handshake; from a request's first byte to its last; for room
 * to send; between requests (Go's clients keep an idle connection for 90 s). */
#ifndef FK_SERVER_HANDSHAKE_MS
#define FK_SERVER_HANDSHAKE_MS 10000
#endif
#ifndef FK_SERVER_REQUEST_MS
#define FK_SERVER_REQUEST_MS 10000
#endif
#ifndef FK_SERVER_SEND_MS
#define FK_SERVER_SEND_MS 10000
#endif
/* The first two when all slots are taken and somebody waits for one. */
#ifndef FK_SERVER_PRESSED_MS
#define FK_SERVER_PRESSED_MS 3000
#endif
/* For the API server's word on who asks and whether they may. */
#ifndef FK_SERVER_REVIEW_MS
#define FK_SERVER_REVIEW_MS 15000
#endif
#ifndef FK_SERVER_IDLE_MS
#define FK_SERVER_IDLE_MS 120000
#endif

/* ---- Who may ask (kubelet/authn, kubelet/authz) ---------------------------------------------- */

/* A user: name, UID and groups with their terminating zeros, bytes. A longer one is refused. */
#ifndef FK_USER_MAX
#define FK_USER_MAX 320
#endif

/* Remembered answers, count: tokens that are good and tokens that are not (kept apart, so that a
 * flood of bad ones does not push out the good), what is allowed and what is not. FK_USER_MAX + 26,
 * 24, 24 and 24 bytes each. */
#ifndef FK_AUTHN_HITS
#define FK_AUTHN_HITS 8
#endif
#ifndef FK_AUTHN_MISSES
#define FK_AUTHN_MISSES 16
#endif
#ifndef FK_AUTHZ_ALLOWED
#define FK_AUTHZ_ALLOWED 16
#endif
#ifndef FK_AUTHZ_DENIED
#define FK_AUTHZ_DENIED 16
#endif

/* How long, as the kubelet has them (authentication-token-webhook-cache-ttl and
 * authorization-webhook-cache-*-ttl), ms. */
#define FK_AUTHN_HIT_MS 120000
#define FK_AUTHN_MISS_MS 30000
#define FK_AUTHZ_ALLOWED_MS 300000
#define FK_AUTHZ_DENIED_MS 30000

/* ---- Configuration from the cluster (kubelet/configmap), Events, the log ring ------------------
 */

/* The memory region that ConfigMaps write and /femto/memory shows, bytes. Twice in RAM: a change is
 * checked whole before it counts. */
#ifndef FK_MEMORY_BYTES
#define FK_MEMORY_BYTES 1024
#endif

/* ConfigMaps that are watched, count. */
#ifndef FK_CONFIGMAPS_MAX
#define FK_CONFIGMAPS_MAX 2
#endif

/* Kinds of Events (reason and message) that are told apart within their window, count. */
#ifndef FK_EVENTS_MAX
#define FK_EVENTS_MAX 4
#endif

/* The node's own recent log lines, for /logs/, bytes. */
#ifndef FK_LOG_RING
#define FK_LOG_RING 16384
#endif

/* ---- HTTP/2 (wire/h2_client) -------------------------------------------------------------- */

/* Our SETTINGS_HEADER_TABLE_SIZE: what the server's HPACK encoder may remember, bytes. Costs up to
 * 2.8 times its size in heap on a 64-bit host. 4096 saves 6 bytes of reply per Lease renewal, 1024
 * costs some 40. */
#ifndef FK_H2_DECODE_TABLE
#define FK_H2_DECODE_TABLE 2048
#endif

/* What our own HPACK encoder remembers, bytes; enough for the headers that repeat. */
#ifndef FK_H2_ENCODE_TABLE
#define FK_H2_ENCODE_TABLE 1024
#endif

/* Largest reply header list that we accept (our SETTINGS_MAX_HEADER_LIST_SIZE), bytes as RFC 9113
 * §6.5.2 counts them. A larger one ends its stream. */
#ifndef FK_H2_HEADERS_MAX
#define FK_H2_HEADERS_MAX 4096
#endif

/* ---- API client (api/client) -------------------------------------------------------------- */

/* Requests in flight at once, count: the last one is the Lease's. Each costs one slot of about 48
 * bytes. */
#ifndef FK_REQUESTS_MAX
#define FK_REQUESTS_MAX 4
#endif

/* Watches in flight at once, count, beside those requests. Costs the same each, and some 250 bytes
 * of heap. */
#ifndef FK_WATCHES_MAX
#define FK_WATCHES_MAX FK_CONFIGMAPS_MAX
#endif

/* Reply bytes that one request may have under way to us: its HTTP/2 stream window, bytes. Costs
 * no RAM of its own, but the sum over all requests must fit one TLS record, see below. */
#ifndef FK_REPLY_WINDOW
#define FK_REPLY_WINDOW 768
#endif

/* The same of a watch, bytes. An event is some 300 bytes and more; a bookmark, once a minute, 75.
 */
#ifndef FK_WATCH_WINDOW
#define FK_WATCH_WINDOW 256
#endif

/* What we read of an error reply's body (a Status, or whatever a proxy wrote), bytes. */
#ifndef FK_ERROR_BODY_MAX
#define FK_ERROR_BODY_MAX 768
#endif

/* Largest request path with its query, bytes, terminating zero included. On the stack. */
#ifndef FK_PATH_MAX
#define FK_PATH_MAX 384
#endif

/* Outgoing bytes gathered into one TLS record, bytes. Costs its size in RAM. */
#ifndef FK_SEND_BUF
#define FK_SEND_BUF 1024
#endif

/* Decrypted bytes taken from the pipe at once, bytes. On the stack. */
#ifndef FK_RECV_BUF
#define FK_RECV_BUF 512
#endif

/* Longest message that is kept of a server's error for the log, bytes with terminating zero. */
#ifndef FK_MESSAGE_MAX
#define FK_MESSAGE_MAX 128
#endif

/* ---- Protobuf replies (api/pb_stream) ------------------------------------------------------ */

/* Largest leaf that is collected whole (a condition, a label, a UID), bytes. Costs its size in
 * RAM once. A larger leaf is skipped and counted. */
#ifndef FK_PB_LEAF_MAX
#define FK_PB_LEAF_MAX 320
#endif

/* Depth of nested messages that we descend into, count. */
#ifndef FK_PB_DEPTH_MAX
#define FK_PB_DEPTH_MAX 6
#endif

/* ---- Liveness and patience (api/client), milliseconds -------------------------------------- */

/* From opening a connection to the server's first HTTP/2 frame: DNS, TCP, TLS. */
#ifndef FK_CONNECT_TIMEOUT_MS
#define FK_CONNECT_TIMEOUT_MS 10000
#endif

/* A request has waited this long without a byte from the server: send a PING, 39 bytes. */
#ifndef FK_PING_AFTER_MS
#define FK_PING_AFTER_MS 1500
#endif

/* The PING has not been answered for this long, and nothing else came: the peer is gone. With the
 * Lease renewed every 10.4 s at the latest, a silent peer is noticed within 15 s. */
#ifndef FK_PING_TIMEOUT_MS
#define FK_PING_TIMEOUT_MS 3000
#endif

/* The longest that one request may take while the server answers PINGs. */
#ifndef FK_REQUEST_TIMEOUT_MS
#define FK_REQUEST_TIMEOUT_MS 10000
#endif

/* The longest that a watch may run. Servers end it after the timeoutSeconds that it asked for, 10
 * minutes at most; one that forgot about it would otherwise leave us deaf. */
#ifndef FK_WATCH_TIMEOUT_MS
#define FK_WATCH_TIMEOUT_MS 660000
#endif

/* Reconnect: first delay and largest delay; doubled each time, with jitter of a quarter. */
#ifndef FK_RECONNECT_MIN_MS
#define FK_RECONNECT_MIN_MS 200
#endif
#ifndef FK_RECONNECT_MAX_MS
#define FK_RECONNECT_MAX_MS 8000
#endif

/* ---- The node (kubelet/) ------------------------------------------------------------------- */

/* Longest node name, bytes without terminating zero (RFC 1123 subdomain, as Kubernetes has it). */
#define FK_NODE_NAME_MAX 253

/* Labels, taints and capacity entries that a configuration may hold, count. They are referred to,
 * not copied. */
#define FK_LABELS_MAX 16
#define FK_TAINTS_MAX 8
#define FK_RESOURCES_MAX 8

/* Retry of a failed duty: first delay and largest delay, as client-go's lease controller has them.
 */
#ifndef FK_RETRY_MIN_MS
#define FK_RETRY_MIN_MS 200
#endif
#ifndef FK_RETRY_MAX_MS
#define FK_RETRY_MAX_MS 7000
#endif

/* The same after an answer that a repetition will not change soon (401, 403, 422 …). A starting API
 * server gives such answers, too: the first delay must not cost the Lease. */
#ifndef FK_REFUSED_MIN_MS
#define FK_REFUSED_MIN_MS 5000
#endif
#ifndef FK_REFUSED_MAX_MS
#define FK_REFUSED_MAX_MS 30000
#endif

/* How often to ask again while no reply has carried a Date. */
#ifndef FK_NO_DATE_RETRY_MS
#define FK_NO_DATE_RETRY_MS 5000
#endif

/* The longest Retry-After that a duty heeds. A server that asks for more would have the node lose
 * its Lease by good manners: a period, this and a quarter of jitter stay below the Lease's 40 s. */
#ifndef FK_RETRY_AFTER_MAX_MS
#define FK_RETRY_AFTER_MAX_MS 20000
#endif

/* The annotation with the free heap is written again when it is wrong by this much, bytes. */
#ifndef FK_FREE_HEAP_STEP
#define FK_FREE_HEAP_STEP 512
#endif

/* A record that the server coalesces from every open stream must fit our receive buffer. */
_Static_assert(FK_REQUESTS_MAX *FK_REPLY_WINDOW + FK_WATCHES_MAX * FK_WATCH_WINDOW + 512 <=
                   FK_TLS_IN_MAX,
               "open windows must fit one TLS record");
_Static_assert(FK_ERROR_BODY_MAX <= FK_REPLY_WINDOW, "an error body is read under one window");
_Static_assert(FK_SEND_BUF <= FK_TLS_OUT_MAX, "one send is one TLS record");

#endif
