/* A load generator for models' APIs: a closed loop over kept-alive connections.
 *
 *     load PORT CONNECTIONS SECONDS PATH BODY_FILE EXPECTED [HEADER]...
 *
 * Where the body holds #00000000, each request has another number, so that none is known from the one before.
 * An answer counts if its status is 200 and its body contains EXPECTED. Requests sent before time is up are waited
 * for, so that CPU time taken around a run belongs to exactly the requests it reports. Prints one JSON object.
 * One thread, epoll.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNS = 1024, HEAD_SIZE = 8192, READ_SIZE = 65536, MAX_EXPECTED = 64, MAX_SAMPLES = 1 << 22 };
static const int64_t PATIENCE_NS = 30000000000;
enum part { HEAD, LENGTH, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER };

struct conn {
    int fd, busy, status, found, closing;
    enum part part;
    long long left; /* of the body, or of the chunk */
    int line;       /* characters in this line of chunk sizes or trailers */
    int64_t sent_ns;
    size_t head_used, kept_used;
    char head[HEAD_SIZE + 1];
    char kept[2 * MAX_EXPECTED]; /* the end of the last piece, in case EXPECTED is cut in two */
};

static struct conn conns[MAX_CONNS];
static struct sockaddr_in there;
static int epoll;
static const char *expected;
static size_t expected_size, request_size;
static char *request;
static char *number; /* eight digits in it that are other ones each time, or NULL */
static long long sent, ok, errors;
static int bad_status;
static int64_t stop_ns;
static uint32_t *took_us;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void dial(struct conn *c) {
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (void *)&there, sizeof there)) {
        perror("load: connect");
        exit(1);
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)(c - conns)};
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
}

static void redial(struct conn *c) {
    close(c->fd);
    dial(c);
}

static void ask(struct conn *c) {
    if (c->closing) redial(c);
    if (number)
        for (long long digit = 7, rest = sent; digit >= 0; digit--, rest /= 10) number[digit] = (char)('0' + rest % 10);
    for (int tries = 0; send(c->fd, request, request_size, MSG_NOSIGNAL) != (ssize_t)request_size; tries++) {
        if (tries == 3) {
            perror("load: send");
            exit(1);
        }
        redial(c);
    }
    c->busy = 1;
    c->part = HEAD;
    c->status = c->found = c->closing = c->line = 0;
    c->left = 0;
    c->head_used = c->kept_used = 0;
    c->sent_ns = now_ns();
    sent++;
}

static void finish(struct conn *c, int whole) {
    int64_t now = now_ns();
    c->busy = 0;
    if (whole && c->status == 200 && c->found) {
        if (ok < MAX_SAMPLES) took_us[ok] = (uint32_t)((now - c->sent_ns) / 1000);
        ok++;
    } else {
        errors++;
        bad_status = c->status;
    }
    if (!whole) c->closing = 1;
    if (now < stop_ns) ask(c);
}

static void look(struct conn *c, const char *data, size_t size) {
    if (c->found) return;
    size_t begin = size < MAX_EXPECTED ? size : MAX_EXPECTED;
    memcpy(c->kept + c->kept_used, data, begin);
    c->found = memmem(data, size, expected, expected_size) ||
               memmem(c->kept, c->kept_used + begin, expected, expected_size);
    size_t keep = size < MAX_EXPECTED ? size : MAX_EXPECTED;
    memcpy(c->kept, data + size - keep, keep);
    c->kept_used = keep;
}

static const char *field(const char *head, const char *name) {
    const char *found = strcasestr(head, name);
    return found ? found + strlen(name) : NULL;
}

/* Takes what it can of the head; 1 when the head is whole. */
static int read_head(struct conn *c, const char **data, size_t *size) {
    size_t take = *size < HEAD_SIZE - c->head_used ? *size : HEAD_SIZE - c->head_used, before = c->head_used;
    memcpy(c->head + before, *data, take);
    c->head_used += take;
    c->head[c->head_used] = 0;
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end) {
        *data += take;
        *size -= take;
        return 0;
    }
    size_t used = (size_t)(end + 4 - c->head) - before;
    *data += used;
    *size -= used;
    end[2] = 0;
    c->status = atoi(c->head + 9);
    c->closing = field(c->head, "\nconnection: close") != NULL;
    const char *length = field(c->head, "\ncontent-length:");
    if (field(c->head, "\ntransfer-encoding: chunked")) {
        c->part = CHUNK_SIZE;
    } else if (length) {
        c->part = LENGTH;
        c->left = atoll(length);
    } else {
        fprintf(stderr, "load: an answer of unknown length\n%s", c->head);
        exit(1);
    }
    return 1;
}

static int hex(char ch) {
    if (ch >= '0' && ch <= '9') return ch - '0';
    ch |= 32;
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* Whether the answer is whole. */
static int read_answer(struct conn *c, const char *data, size_t size) {
    if (c->part == HEAD && !read_head(c, &data, &size)) return 0;
    if (c->part == LENGTH && !c->left) return 1;
    while (size) {
        if (c->part == LENGTH || c->part == CHUNK) {
            size_t take = (long long)size < c->left ? size : (size_t)c->left;
            look(c, data, take);
            data += take;
            size -= take;
            c->left -= (long long)take;
            if (c->left) continue;
            if (c->part == LENGTH) return 1;
            c->part = CHUNK_END;
            continue;
        }
        char ch = *data++;
        size--;
        if (ch != '\n') {
            if (c->part == CHUNK_SIZE && hex(ch) >= 0) c->left = c->left * 16 + hex(ch);
            if (ch != '\r') c->line++;
            continue;
        }
        if (c->part == TRAILER && !c->line) return 1;
        if (c->part == CHUNK_END) c->part = CHUNK_SIZE;
        else if (c->part == CHUNK_SIZE) c->part = c->left ? CHUNK : TRAILER;
        c->line = 0;
    }
    return 0;
}

static void read_file(const char *name, const char *port, const char *path, char **headers, int n_headers) {
    FILE *file = fopen(name, "rb");
    if (!file) {
        perror(name);
        exit(2);
    }
    static char body[1 << 20], lines[4096];
    size_t size = fread(body, 1, sizeof body, file), used = 0;
    fclose(file);
    for (int i = 0; i < n_headers; i++)
        used += (size_t)snprintf(lines + used, sizeof lines - used, "%s\r\n", headers[i]);
    request = malloc(size + sizeof lines + strlen(path) + 256);
    request_size = (size_t)sprintf(
        request,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nContent-Type: application/json\r\n"
        "%sContent-Length: %zu\r\n\r\n",
        path, port, lines, size);
    memcpy(request + request_size, body, size);
    number = memmem(request + request_size, size, "#00000000", 9);
    if (number) number++;
    request_size += size;
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
    if (argc < 7 || atoi(argv[2]) > MAX_CONNS || strlen(argv[6]) > MAX_EXPECTED) {
        fprintf(stderr, "usage: load PORT CONNECTIONS SECONDS PATH BODY_FILE EXPECTED [HEADER]...\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    int n_conns = atoi(argv[2]);
    read_file(argv[5], argv[1], argv[4], argv + 7, argc - 7);
    expected = argv[6];
    expected_size = strlen(expected);
    took_us = malloc(sizeof *took_us * MAX_SAMPLES);
    there = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    epoll = epoll_create1(0);
    for (int i = 0; i < n_conns; i++) dial(&conns[i]);
    int64_t start_ns = now_ns();
    stop_ns = start_ns + (int64_t)(atof(argv[3]) * 1e9);
    for (int i = 0; i < n_conns; i++) ask(&conns[i]);
    static char data[READ_SIZE];
    struct epoll_event events[256];
    while (sent > ok + errors) {
        int n = epoll_wait(epoll, events, 256, 1000);
        for (int i = 0; i < n; i++) {
            struct conn *c = &conns[events[i].data.u32];
            ssize_t got = recv(c->fd, data, READ_SIZE, MSG_DONTWAIT);
            if (got < 0 && errno == EAGAIN) continue;
            if (got > 0 && c->busy) {
                if (read_answer(c, data, (size_t)got)) finish(c, 1);
            } else if (c->busy) {
                finish(c, 0);
            } else {
                redial(c);
            }
        }
        if (now_ns() > stop_ns + PATIENCE_NS) errors = sent - ok;
    }
    double seconds = (double)(now_ns() - start_ns) / 1e9;
    size_t samples = ok < MAX_SAMPLES ? (size_t)ok : MAX_SAMPLES;
    qsort(took_us, samples, sizeof *took_us, by_value);
    printf("{\"sent\":%lld,\"ok\":%lld,\"errors\":%lld,\"bad_status\":%d,\"seconds\":%.3f,\"p50_us\":%u,\"p99_us\":%u}\n",
           sent, ok, errors, bad_status, seconds, samples ? took_us[samples / 2] : 0,
           samples ? took_us[samples * 99 / 100] : 0);
    return 0;
}
