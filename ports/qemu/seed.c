/* Emulation only: this board has no source of entropy, so the host hands in a seed, in a file named
 * by arg=seed=PATH. Before the first random byte is given out, the file gets another seed, drawn
 * from this one: no two starts share random numbers, whenever the power fails. The first call is
 * to come after Mbed TLS has its heap (link/drbg.h). */
#include "base/err.h"
#include "link/drbg.h"
#include "qemu/machine.h"
#include "qemu/semihosting.h"

#define SEED_LEN 48 /* bytes; 32 of entropy and 16 for the nonce (NIST SP 800-90A, 8.6.7) */

static struct fk_drbg drbg;
static enum { UNTRIED, READY, REFUSED } state;

static bool refuse(const char *why) {
    machine_put_text("entropy: ");
    machine_put_text(why);
    machine_put_text("; TLS is refused without a seed (tools/board run --seed FILE)\r\n");
    return false;
}

static bool start_from(int file, uint8_t seed[SEED_LEN]) {
    if (machine_file_length(file) < SEED_LEN) return refuse("the seed file is too short");
    if (!machine_file_read(file, 0, seed, SEED_LEN)) return refuse("the seed file is unreadable");
    if (fk_drbg_seed(&drbg, seed, SEED_LEN) != 0) return refuse("no memory for the generator");
    if (fk_drbg_fill(&drbg, seed, SEED_LEN) != 0) return refuse("the generator failed");
    if (!machine_file_write(file, 0, seed, SEED_LEN)) return refuse("the seed cannot be replaced");
    return true;
}

static bool start(void) {
    char line[MACHINE_ARGUMENTS_MAX];
    uint8_t seed[SEED_LEN];
    const char *path = machine_argument("seed", line);
    if (path == NULL) return refuse("no seed file was given");
    const int file = machine_file_open(path, false);
    if (file < 0) return refuse("the seed file cannot be opened to read and write");
    const bool started = start_from(file, seed);
    (void)machine_file_close(file);
    /* Volatile, or the compiler would drop what nobody reads. */
    for (volatile uint8_t *p = seed; p < seed + sizeof seed; p++) *p = 0;
    return started;
}

int machine_entropy(void *buf, size_t len) {
    if (state == UNTRIED) state = start() ? READY : REFUSED;
    return state == READY ? fk_drbg_fill(&drbg, buf, len) : FK_E_ENTROPY;
}
