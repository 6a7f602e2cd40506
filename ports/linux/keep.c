#include "linux/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

static int complain(const struct fk_log *log, const char *what, const char *path) {
    fk_log(log, FK_WARN, what, FK_STR("file", path), FK_STR("error", strerror(errno)));
    return FK_E_RANGE;
}

static bool make_path(char path[PATH_MAX], const char *dir, const char *name) {
    const int len = snprintf(path, PATH_MAX, "%s/%s", dir, name);
    return len > 0 && len < PATH_MAX;
}

static bool write_all(int fd, const char *bytes, size_t len) {
    while (len > 0) {
        const ssize_t done = write(fd, bytes, len);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        bytes += done;
        len -= (size_t)done;
    }
    return fsync(fd) == 0;
}

/* The name is durable once its folder is. */
static void sync_folder(const char *dir) {
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd);
    (void)close(fd);
}

static int refuse(struct fk_writer *why, const char *dir, const char *problem, const char *mend) {
    fk_put_str(why, "--root-dir ");
    fk_put_str(why, dir);
    fk_put_str(why, ": ");
    fk_put_str(why, problem);
    fk_put_str(why, mend);
    return FK_E_CONFIG;
}

int fk_keep_check(const char *dir, struct fk_writer *why) {
    struct stat info;
    if (stat(dir, &info) != 0)
        return errno == ENOENT
                   ? refuse(why, dir, "there is no such folder", ": make it (mkdir -p)")
                   : refuse(why, dir, strerror(errno), ": name a folder that can be reached");
    if (!S_ISDIR(info.st_mode)) return refuse(why, dir, "this is no folder", ": name one");
    if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0) return 0;
    return refuse(why, dir, strerror(errno),
                  ": it must be writable for the user that runs the node");
}

int fk_keep_write(const char *dir, const void *bytes, size_t len, const struct fk_log *log) {
    char path[PATH_MAX], part[PATH_MAX];
    if (!make_path(path, dir, FK_KEEP_FILE) || !make_path(part, dir, FK_KEEP_FILE ".part"))
        return FK_E_NOMEM;
    const int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return complain(log, "cannot keep what ConfigMaps set", part);
    const bool written = write_all(fd, bytes, len);
    if (close(fd) != 0 || !written) return complain(log, "cannot keep what ConfigMaps set", part);
    if (rename(part, path) != 0) return complain(log, "cannot keep what ConfigMaps set", path);
    sync_folder(dir);
    return 0;
}

int fk_keep_read(const char *dir, void *buf, size_t cap, const struct fk_log *log) {
    char path[PATH_MAX];
    if (!make_path(path, dir, FK_KEEP_FILE)) return FK_E_NOMEM;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return 0;
    if (fd < 0) return complain(log, "cannot read what was kept", path);
    char *out = buf;
    size_t len = 0;
    ssize_t got = 0;
    while (len < cap && (got = read(fd, out + len, cap - len)) > 0) len += (size_t)got;
    (void)close(fd);
    if (got < 0) return complain(log, "cannot read what was kept", path);
    fk_log(log, FK_INFO, "found what ConfigMaps set before", FK_STR("file", path),
           FK_INT("bytes", len));
    return (int)len;
}
