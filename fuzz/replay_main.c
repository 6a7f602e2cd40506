/* Runs a fuzzer's function once over each file given, and over each file of each folder given, so
 * that any compiler and any preset can prove that yesterday's findings stay fixed. It does not
 * search. Fails when it found nothing to run: a test over an empty corpus would prove nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int replay_file(const char *path, size_t len) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        return -1;
    }
    /* Of exactly the input's size, so that the sanitizer sees a read past its end. */
    uint8_t *data = malloc(len > 0 ? len : 1);
    int ran = -1;
    if (data != NULL && fread(data, 1, len, file) == len) {
        (void)LLVMFuzzerTestOneInput(data, len);
        ran = 1;
    } else {
        fprintf(stderr, "replay: %s: cannot be read\n", path);
    }
    free(data);
    (void)fclose(file);
    return ran;
}

/* The number of inputs run, or -1; folders are not searched below the first level. */
static int replay_path(const char *path, int depth) {
    struct stat info;
    if (stat(path, &info) != 0) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        return -1;
    }
    if (!S_ISDIR(info.st_mode)) {
        return replay_file(path, (size_t)info.st_size);
    }
    DIR *folder = depth == 0 ? opendir(path) : NULL;
    if (folder == NULL) {
        return 0;
    }
    int ran = 0;
    for (struct dirent *entry; ran >= 0 && (entry = readdir(folder)) != NULL;) {
        char name[4096];
        int len = snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] == '.' || len < 0 || (size_t)len >= sizeof(name)) {
            continue;
        }
        int more = replay_path(name, depth + 1);
        ran = more < 0 ? -1 : ran + more;
    }
    (void)closedir(folder);
    return ran;
}

int main(int argc, char **argv) {
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int ran = replay_path(argv[i], 0);
        if (ran < 0) {
            return EXIT_FAILURE;
        }
        total += ran;
    }
    printf("replay: %d inputs\n", total);
    return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
