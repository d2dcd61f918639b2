#define _POSIX_C_SOURCE 200112L
#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FLASH_BYTES (2 * HD_SLOT_BYTES)

static int dial(hd_posix *posix) {
  struct addrinfo hints, *found = NULL;
  memset(&hints, 0, sizeof hints);
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(posix->host, posix->port, &hints, &found) != 0) return -1;
  int fd = socket(found->ai_family, SOCK_STREAM, 0), on = 1;
  if (fd >= 0) {
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS) {
      close(fd);
      fd = -1;
    }
  }
  freeaddrinfo(found);
  posix->socket = fd;
  return fd < 0 ? -1 : 0;
}

static int posix_connect(void *context) {
  hd_posix *posix = context;
  if (posix->socket < 0 && dial(posix) != 0) return -1;
  struct pollfd wait = {posix->socket, POLLOUT, 0};
  if (poll(&wait, 1, 0) <= 0) return 0;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(posix->socket, SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? 1 : -1;
}

static int outcome(ssize_t count, int is_read) {
  if (count > 0) return (int)count;
  if (count == 0) return is_read ? -1 : 0;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

static int posix_send(void *context, const uint8_t *bytes, size_t count) {
  return outcome(send(((hd_posix *)context)->socket, bytes, count, MSG_NOSIGNAL), 0);
}

static int posix_receive(void *context, uint8_t *bytes, size_t room) {
  return outcome(recv(((hd_posix *)context)->socket, bytes, room, 0), 1);
}

static void posix_close(void *context) {
  hd_posix *posix = context;
  if (posix->socket >= 0) close(posix->socket);
  posix->socket = -1;
}

static uint64_t nanoseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint32_t posix_now_ms(void *context) {
  (void)context;
  return (uint32_t)(nanoseconds() / 1000000u);
}

static uint32_t posix_now_us(void *context) {
  (void)context;
  return (uint32_t)(nanoseconds() / 1000u);
}

static void posix_random(void *context, uint8_t *bytes, size_t count) {
  static int source = -1;
  (void)context;
  if (source < 0) source = open("/dev/urandom", O_RDONLY);
  if (source < 0 || read(source, bytes, count) != (ssize_t)count) abort();
}

static const uint8_t *posix_slot(void *context, int slot) {
  return ((hd_posix *)context)->flash + slot * HD_SLOT_BYTES;
}

static int posix_slot_erase(void *context, int slot) {
  memset(((hd_posix *)context)->flash + slot * HD_SLOT_BYTES, 0xff, HD_SLOT_BYTES);
  return 0;
}

static int posix_slot_write(void *context, int slot, uint32_t offset, const uint8_t *bytes, size_t count) {
  if (offset > HD_SLOT_BYTES || count > HD_SLOT_BYTES - offset) return -1;
  memcpy(((hd_posix *)context)->flash + slot * HD_SLOT_BYTES + offset, bytes, count);
  return 0;
}

static uint8_t *map_file(const char *file) {
  int fd = open(file, O_RDWR | O_CREAT, 0644);
  if (fd < 0) return NULL;
  off_t size = lseek(fd, 0, SEEK_END);
  uint8_t *flash = NULL;
  if (size == FLASH_BYTES || ftruncate(fd, FLASH_BYTES) == 0) {
    flash = mmap(NULL, FLASH_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (flash == MAP_FAILED) flash = NULL;
    else if (size != FLASH_BYTES) memset(flash, 0xff, FLASH_BYTES);
  }
  close(fd);
  return flash;
}

int hd_posix_open(hd_posix *posix, const char *host, const char *port, const char *file) {
  posix->host = host;
  posix->port = port;
  posix->socket = -1;
  posix->flash = file ? map_file(file) : malloc(FLASH_BYTES);
  if (!posix->flash) return -1;
  if (!file) memset(posix->flash, 0xff, FLASH_BYTES);
  return 0;
}

hd_port hd_posix_port(hd_posix *posix) {
  hd_port port = {posix,          posix_connect, posix_send, posix_receive,    posix_close,     posix_now_ms,
                  posix_now_us,   posix_random,  posix_slot, posix_slot_erase, posix_slot_write};
  return port;
}
