/* One kibibyte there and back over a SOCK_SEQPACKET socket. */
#pragma once
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TRIP 1024

static inline int trip_dial(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline int trip_over(int fd)
{
	char buf[TRIP] = { 0 };

	return send(fd, buf, sizeof(buf), MSG_NOSIGNAL) == TRIP && recv(fd, buf, sizeof(buf), 0) == TRIP ? 0 : -1;
}

static inline int trip_once(const char *path)
{
	int fd = trip_dial(path), r;

	if (fd < 0)
		return -1;
	r = trip_over(fd);
	close(fd);
	return r;
}
