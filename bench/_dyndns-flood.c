/*
 * A flood of forged dyndns packets from many source addresses: known key id, fresh timestamp, random signature.
 *
 *   flood PORT RATE SECONDS SOURCES KEY_ID
 *
 * Sends RATE packets a second to 127.0.0.1:PORT from 127.1.0.1, 127.1.0.2, … (IP_PKTINFO chooses the source, ip(7)),
 * and prints how many it has sent and the seconds that it took. RATE 0: as fast as it can.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { batch = 32, length = 100, key_id_length = 28 };

static double seconds_of(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

static uint64_t state = 88172645463325252ull;

/* xorshift64 (Marsaglia, Journal of Statistical Software 8, 2003). */
static uint64_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

int main(int argc, char **argv) {
  if (argc != 6 || strlen(argv[5]) != key_id_length) {
    fprintf(stderr, "usage: flood PORT RATE SECONDS SOURCES KEY_ID\n");
    return 64;
  }
  double rate = atof(argv[2]), limit = atof(argv[3]);
  uint32_t sources = (uint32_t)atoi(argv[4]);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return perror("socket"), 1;
  int size = 1 << 22;
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

  static unsigned char bytes[batch][length];
  static union {
    char room[CMSG_SPACE(sizeof(struct in_pktinfo))];
    struct cmsghdr align;
  } control[batch];
  static struct iovec parts[batch];
  static struct mmsghdr messages[batch];
  for (int i = 0; i < batch; i++) {
    memcpy(bytes[i], argv[5], key_id_length);
    parts[i] = (struct iovec){bytes[i], length};
    struct msghdr *header = &messages[i].msg_hdr;
    *header = (struct msghdr){&to, sizeof to, &parts[i], 1, &control[i], sizeof control[i], 0};
    struct cmsghdr *option = CMSG_FIRSTHDR(header);
    option->cmsg_level = IPPROTO_IP;
    option->cmsg_type = IP_PKTINFO;
    option->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
  }

  uint64_t sent = 0;
  uint32_t source = 0;
  double start = seconds_of(CLOCK_MONOTONIC), now = start;
  while ((now = seconds_of(CLOCK_MONOTONIC)) - start < limit) {
    if (rate > 0 && sent + batch > (now - start) * rate) {
      struct timespec pause = {0, 200000};
      nanosleep(&pause, NULL);
      continue;
    }
    double stamp = seconds_of(CLOCK_REALTIME);
    uint64_t bits;
    memcpy(&bits, &stamp, sizeof bits);
    bits = __builtin_bswap64(bits);
    for (int i = 0; i < batch; i++) {
      memcpy(bytes[i] + key_id_length, &bits, sizeof bits);
      for (int at = 36; at + 8 <= length; at += 8) {
        uint64_t word = next_random();
        memcpy(bytes[i] + at, &word, sizeof word);
      }
      /* S below the group's order (RFC 8032, 5.1.7): else it is refused before any mathematics. */
      bytes[i][length - 1] &= 0x0f;
      struct in_pktinfo from = {0};
      from.ipi_spec_dst.s_addr = htonl(0x7f010001 + source);
      memcpy(CMSG_DATA(CMSG_FIRSTHDR(&messages[i].msg_hdr)), &from, sizeof from);
      source = (source + 1) % sources;
    }
    int done = sendmmsg(fd, messages, batch, 0);
    if (done > 0) sent += (uint64_t)done;
    else if (errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED) return perror("sendmmsg"), 1;
  }
  printf("%llu %.3f\n", (unsigned long long)sent, now - start);
  return 0;
}
