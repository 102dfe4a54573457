/*
 * The main process of a test's unit: connects the moment it starts, and says in a file how that went.
 *
 *   first-connection [-n] [-s] [-t SECONDS] FILE ADDRESS PORT
 *     Connects by TCP at once, then every millisecond until it gets through (or SECONDS, 10 unless given, have passed).
 *     Appends one line of JSON to FILE when that is over:
 *       {"pid":…,"cgroup":"/system.slice/x.service","main_start":ms,"first_result":"connected","first_end":ms,
 *        "first_success":ms or null,"attempts":…}
 *     Times are CLOCK_MONOTONIC in milliseconds. A result is "connected", "refused", "timeout" (no answer in 100 ms) or
 *     errno's text. -n: a unit of Type=notify, READY=1 is sent after the first attempt. -s: stays until it is killed.
 *     Exit code 0, or 1 where it never got through.
 *
 *   first-connection -w MICROSECONDS FILE ADDRESS PORT
 *     Watches instead: sends a UDP datagram each so many microseconds and appends a line of JSON to FILE whenever the
 *     result is another than the one before, {"at":ms,"result":"sent" or errno's text}; SIGTERM ends it with a line
 *     {"at":ms,"sent":…,"failed":…,"longest_gap":ms between two datagrams sent}. A drop on the output hook is EPERM.
 *
 *   first-connection -l PORT…
 *     Listens on these ports, TCP and UDP, IPv4 and IPv6, and accepts and forgets whatever comes. Prints "listening".
 *
 * In C and static, because an interpreter's own start (5 ms and more) would hide what is to be measured.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void end(int signal) {
  (void)signal;
  ended = 1;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void die(const char *what) {
  perror(what);
  exit(2);
}

/* One write(2) in append mode: lines of several runs do not mix. */
static void append(const char *file, const char *format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0 || write(fd, line, length) != length) die(file);
  close(fd);
}

static struct sockaddr_storage target(const char *address, const char *port, socklen_t *length) {
  struct sockaddr_storage found = {0};
  struct sockaddr_in *v4 = (struct sockaddr_in *)&found;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&found;
  if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(atoi(port));
    *length = sizeof *v4;
  } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(atoi(port));
    *length = sizeof *v6;
  } else {
    fprintf(stderr, "%s: no IP address\n", address);
    exit(2);
  }
  return found;
}

static const char *result_of(int error) {
  if (error == 0) return "connected";
  if (error == ECONNREFUSED) return "refused";
  if (error == ETIMEDOUT) return "timeout";
  return strerror(error);
}

static int attempt(const struct sockaddr_storage *to, socklen_t length) {
  int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  /* Closed by a reset: thousands of attempts leave no port in TIME_WAIT. */
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  int error = connect(fd, (const struct sockaddr *)to, length) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    if (poll(&ready, 1, 100) == 1) {
      socklen_t size = sizeof error;
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    } else {
      error = ETIMEDOUT;
    }
  }
  close(fd);
  return error;
}

/* sd_notify(3): one datagram to the socket that $NOTIFY_SOCKET names, an '@' at its front standing for a zero byte. */
static void notify_ready(void) {
  const char *path = getenv("NOTIFY_SOCKET");
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  if (path == NULL || strlen(path) >= sizeof to.sun_path) {
    fprintf(stderr, "no NOTIFY_SOCKET\n");
    exit(2);
  }
  memcpy(to.sun_path, path, strlen(path));
  if (to.sun_path[0] == '@') to.sun_path[0] = 0;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  socklen_t length = offsetof(struct sockaddr_un, sun_path) + strlen(path);
  if (fd < 0 || sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&to, length) != 7) die("NOTIFY_SOCKET");
  close(fd);
}

/* The cgroup2 line of /proc/self/cgroup, "0::/path". */
static void own_cgroup(char *path, size_t size) {
  char line[512];
  FILE *file = fopen("/proc/self/cgroup", "re");
  if (file == NULL) die("/proc/self/cgroup");
  path[0] = 0;
  while (fgets(line, sizeof line, file) != NULL) {
    line[strcspn(line, "\n")] = 0;
    if (strncmp(line, "0::", 3) != 0) continue;
    /* JSON: a backslash, as in systemd's \x2d, is written twice. */
    size_t at = 0;
    for (const char *c = line + 3; *c != 0 && at + 2 < size; c += 1) {
      if (*c == '\\' || *c == '"') path[at++] = '\\';
      path[at++] = *c;
    }
    path[at] = 0;
  }
  fclose(file);
}

static int watch(long microseconds, const char *file, const struct sockaddr_storage *to, socklen_t length) {
  int fd = socket(to->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  struct sigaction action = {.sa_handler = end};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  struct timespec pause = {.tv_sec = microseconds / 1000000, .tv_nsec = microseconds % 1000000 * 1000};
  long sent = 0, failed = 0;
  int before = -1;
  double last = 0, longest = 0;
  while (!ended) {
    int error = sendto(fd, "?", 1, 0, (const struct sockaddr *)to, length) == 1 ? 0 : errno;
    double at = now();
    /* ICMP's answer to an earlier datagram is no verdict on this one. */
    if (error == ECONNREFUSED) continue;
    if (error == 0) {
      if (last != 0 && at - last > longest) longest = at - last;
      last = at;
      sent += 1;
    } else {
      failed += 1;
    }
    if (error != before)
      append(file, "{\"at\":%.6f,\"result\":\"%s\"}\n", at, error == 0 ? "sent" : strerror(error));
    before = error;
    nanosleep(&pause, NULL);
  }
  append(file, "{\"at\":%.6f,\"sent\":%ld,\"failed\":%ld,\"longest_gap\":%.6f}\n", now(), sent, failed, longest);
  return 0;
}

static int serve(int count, char **ports) {
  struct pollfd sockets[128];
  if (count < 1 || count > 64) return 2;
  for (int i = 0; i < count * 2; i += 1) {
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(atoi(ports[i / 2]))};
    int stream = i % 2 == 0, one = 1;
    int fd = socket(AF_INET6, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&any, sizeof any) != 0 || (stream && listen(fd, 4096) != 0)) die(ports[i / 2]);
    sockets[i] = (struct pollfd){.fd = fd, .events = POLLIN};
  }
  printf("listening\n");
  fflush(stdout);
  for (;;) {
    char bytes[2048];
    if (poll(sockets, count * 2, -1) < 0) die("poll");
    for (int i = 0; i < count * 2; i += 1) {
      if (sockets[i].revents == 0) continue;
      if (i % 2 == 0) {
        for (int fd; (fd = accept4(sockets[i].fd, NULL, NULL, SOCK_CLOEXEC)) >= 0;) close(fd);
      } else {
        while (recv(sockets[i].fd, bytes, sizeof bytes, 0) >= 0) continue;
      }
    }
  }
}

int main(int count, char **words) {
  double main_start = now();
  int notify = 0, stay = 0, listens = 0, option;
  long every = 0;
  double seconds = 10;
  while ((option = getopt(count, words, "+nslt:w:")) != -1) {
    if (option == 'n') notify = 1;
    else if (option == 's') stay = 1;
    else if (option == 'l') listens = 1;
    else if (option == 't') seconds = atof(optarg);
    else if (option == 'w') every = atol(optarg);
    else return 2;
  }
  if (listens) return serve(count - optind, words + optind);
  if (count - optind != 3) {
    fprintf(stderr, "FILE ADDRESS PORT expected\n");
    return 2;
  }
  const char *file = words[optind];
  socklen_t length;
  struct sockaddr_storage to = target(words[optind + 1], words[optind + 2], &length);
  if (every > 0) return watch(every, file, &to, length);

  int first = attempt(&to, length), error = first;
  double first_end = now(), success = first_end;
  if (notify) notify_ready();
  long attempts = 1;
  while (error != 0 && now() - main_start < seconds * 1e3) {
    struct timespec pause = {.tv_nsec = 1000000};
    nanosleep(&pause, NULL);
    error = attempt(&to, length);
    success = now();
    attempts += 1;
  }
  char cgroup[512], reached[32] = "null";
  own_cgroup(cgroup, sizeof cgroup);
  if (error == 0) snprintf(reached, sizeof reached, "%.6f", success);
  append(file,
         "{\"pid\":%d,\"cgroup\":\"%s\",\"main_start\":%.6f,\"first_result\":\"%s\",\"first_end\":%.6f,"
         "\"first_success\":%s,\"attempts\":%ld}\n",
         (int)getpid(), cgroup, main_start, result_of(first), first_end, reached, attempts);
  while (stay) pause();
  return error == 0 ? 0 : 1;
}
