/* A port over POSIX: TCP, the monotonic clock, the system's random bytes, flash in a file or in memory. TLS is a proxy's job. */
#ifndef HD_POSIX_H
#define HD_POSIX_H

#include "hd.h"

typedef struct {
  const char *host, *port;
  int socket;
  uint8_t *flash; /* two slots */
} hd_posix;

/* file: null for memory only. 0 or -1. */
int hd_posix_open(hd_posix *posix, const char *host, const char *port, const char *file);
hd_port hd_posix_port(hd_posix *posix);

#endif
