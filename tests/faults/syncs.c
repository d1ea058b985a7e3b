/* Loaded before the C library (LD_PRELOAD): tells the socket $SYNCS_SOCKET of each file and folder that a
 * process has synced, and waits for its answer, so that what was on the disk by then can be noted. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int tell(int fd) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char link[64], path[PATH_MAX], answer;
    const char *socket_path = getenv("SYNCS_SOCKET");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path);
    if (length < 0 || socket_path == NULL) return -1;
    strncpy(address.sun_path, socket_path, sizeof address.sun_path - 1);
    int there = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failed = there < 0 || connect(there, (struct sockaddr *)&address, sizeof address) != 0
        || write(there, path, length) != length || shutdown(there, SHUT_WR) != 0
        || read(there, &answer, 1) != 1;
    if (there >= 0) close(there);
    return failed ? -1 : 0;
}

/* An answer that does not come is an error of the disk: nothing may then count as stored. */
static int synced(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int result = real(fd);
    if (result == 0 && tell(fd) != 0) {
        errno = EIO;
        return -1;
    }
    return result;
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }
