/* An upstream for the benchmark: answers chat completions at once, and costs next to nothing itself.
 *
 *     mock PORT CHUNKS GAP_US
 *
 * A request with "stream": true gets CHUNKS content events, one each GAP_US microseconds; any other gets one JSON
 * answer. One thread, epoll. Requests need a content-length. Since all gaps are equal, the streams wait in a queue
 * that is in order of their due times by itself.
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

enum { MAX_FD = 4096, IN_SIZE = 1 << 17, EVENTS = 256 };

struct conn {
    int open, streaming, sent;
    unsigned life; /* counts the connections that had this descriptor */
    size_t used;
    char in[IN_SIZE + 1];
};
struct due {
    int64_t at_ns;
    int fd;
    unsigned life;
};

static struct conn *conns[MAX_FD];
static struct due queue[MAX_FD];
static unsigned first_due, after_due;
static int epoll, chunks;
static int64_t gap_ns;

static char json[2048], head[1024], middle[1024], tail[1024];
static size_t json_size, head_size, middle_size, tail_size;

#define ID "\"id\":\"chatcmpl-0000000000000000\",\"created\":1760000000,\"model\":\"mock\","
#define DELTA(delta, finish) \
    "data: {" ID "\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":" delta \
    ",\"logprobs\":null,\"finish_reason\":" finish "}]}\n\n"

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static size_t as_chunk(char *to, const char *event) {
    return (size_t)sprintf(to, "%zx\r\n%s\r\n", strlen(event), event);
}

static void write_answers(void) {
    const char *body =
        "{" ID "\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
        "\"content\":\"This is the mock's answer. It is about as long as a short answer of a model would be, and it "
        "says nothing at all, in three sentences. The gateway passes it on as it stands.\",\"refusal\":null},"
        "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":64,\"completion_tokens\":36,"
        "\"total_tokens\":100},\"system_fingerprint\":\"mock\"}";
    json_size = (size_t)sprintf(
        json, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    head_size = (size_t)sprintf(
        head, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    head_size += as_chunk(head + head_size, DELTA("{\"role\":\"assistant\",\"content\":\"\"}", "null"));
    middle_size = as_chunk(middle, DELTA("{\"content\":\" another word\"}", "null"));
    tail_size = as_chunk(tail, DELTA("{}", "\"stop\""));
    tail_size += as_chunk(
        tail + tail_size,
        "data: {" ID "\"object\":\"chat.completion.chunk\",\"choices\":[],"
        "\"usage\":{\"prompt_tokens\":64,\"completion_tokens\":100,\"total_tokens\":164}}\n\n");
    tail_size += as_chunk(tail + tail_size, "data: [DONE]\n\n");
    tail_size += (size_t)sprintf(tail + tail_size, "0\r\n\r\n");
}

static void hang_up(int fd) {
    conns[fd]->open = 0;
    conns[fd]->life++;
    close(fd);
}

/* Whether it went out whole. A reader that does not keep up with a few hundred bytes is cut off. */
static int put(int fd, const char *data, size_t size) {
    if (send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size) return 1;
    hang_up(fd);
    return 0;
}

static void wait_a_gap(int fd) {
    queue[after_due++ % MAX_FD] = (struct due){now_ns() + gap_ns, fd, conns[fd]->life};
}

static void answer_requests(int fd);

static void next_event(int fd) {
    struct conn *c = conns[fd];
    if (c->sent++ < chunks) {
        if (put(fd, middle, middle_size)) wait_a_gap(fd);
        return;
    }
    c->streaming = 0;
    if (put(fd, tail, tail_size)) answer_requests(fd);
}

static int wants_stream(const char *body, size_t size) {
    const char *p = memmem(body, size, "\"stream\"", 8);
    if (!p) return 0;
    for (p += 8; *p == ' ' || *p == ':'; p++) {}
    return !strncmp(p, "true", 4);
}

/* As many whole requests as have arrived; a stream holds back what comes after it. */
static void answer_requests(int fd) {
    struct conn *c = conns[fd];
    while (c->open && !c->streaming && c->used) {
        c->in[c->used] = 0;
        char *end = strstr(c->in, "\r\n\r\n");
        if (!end) return;
        char *length = strcasestr(c->in, "\ncontent-length:");
        size_t body = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
        size_t whole = (size_t)(end + 4 - c->in) + body;
        if (c->used < whole) return;
        int stream = wants_stream(end + 4, body);
        memmove(c->in, c->in + whole, c->used - whole);
        c->used -= whole;
        if (!stream) {
            put(fd, json, json_size);
        } else {
            c->streaming = 1;
            c->sent = 0;
            if (put(fd, head, head_size)) wait_a_gap(fd);
        }
    }
}

static void accept_all(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MAX_FD) {
            close(fd);
            continue;
        }
        if (!conns[fd]) conns[fd] = calloc(1, sizeof **conns);
        conns[fd]->open = 1;
        conns[fd]->streaming = 0;
        conns[fd]->used = 0;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void read_more(int fd) {
    struct conn *c = conns[fd];
    ssize_t got = recv(fd, c->in + c->used, IN_SIZE - c->used, 0);
    if (got > 0) {
        c->used += (size_t)got;
        answer_requests(fd);
    } else if (got == 0 || errno != EAGAIN) {
        hang_up(fd);
    }
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: mock PORT CHUNKS GAP_US\n");
        return 2;
    }
    chunks = atoi(argv[2]);
    gap_ns = atoll(argv[3]) * 1000;
    signal(SIGPIPE, SIG_IGN);
    write_answers();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in here = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (void *)&here, sizeof here) || listen(listener, 1024)) {
        perror("mock");
        return 1;
    }
    epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        struct timespec pause = {1, 0};
        if (first_due != after_due) {
            int64_t wait = queue[first_due % MAX_FD].at_ns - now_ns();
            wait = wait < 0 ? 0 : wait > 999999999 ? 999999999 : wait;
            pause = (struct timespec){0, wait};
        }
        int n = epoll_pwait2(epoll, events, EVENTS, &pause, NULL);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) accept_all(listener);
            else if (conns[fd]->open) read_more(fd);
        }
        for (int64_t now = now_ns(); first_due != after_due && queue[first_due % MAX_FD].at_ns <= now;) {
            struct due due = queue[first_due++ % MAX_FD];
            if (conns[due.fd]->open && conns[due.fd]->life == due.life) next_event(due.fd);
        }
    }
}
