/* io_uring OPERATION ARGUMENT: `open PATH`, `unlink PATH`, `connect PORT` without a system call of that name. */
#include "attack.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>

static int ring;
static struct io_uring_params p;
static char *sq, *cq;
static struct io_uring_sqe *sqes;

static void *map(size_t bytes, off_t at)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, at);

	if (memory == MAP_FAILED)
		fail("mmap");
	return memory;
}

static void begin(void)
{
	ring = syscall(425, 4, &p);
	expect(ring, "io_uring_setup");
	sq = map(p.sq_off.array + p.sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
	cq = map(p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	sqes = map(p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
}

/* Submits the first entry and returns its result. */
static int submit(void)
{
	uint32_t *tail = (uint32_t *)(sq + p.sq_off.tail);
	struct io_uring_cqe *done = (struct io_uring_cqe *)(cq + p.cq_off.cqes);

	((uint32_t *)(sq + p.sq_off.array))[*tail & *(uint32_t *)(sq + p.sq_off.ring_mask)] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	expect(syscall(426, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0), "io_uring_enter");
	if (done->res < 0)
		errno = -done->res;
	return done->res;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};

	if (argc != 3)
		return 95;
	begin();
	memset(sqes, 0, sizeof(*sqes));
	sqes->fd = AT_FDCWD;
	sqes->addr = (uintptr_t)argv[2];
	if (strcmp(argv[1], "open") == 0) {
		sqes->opcode = IORING_OP_OPENAT;
		show(submit());
	} else if (strcmp(argv[1], "unlink") == 0) {
		sqes->opcode = IORING_OP_UNLINKAT;
		expect(submit(), "unlink");
	} else {
		sqes->opcode = IORING_OP_CONNECT;
		sqes->fd = socket(AF_INET, SOCK_STREAM, 0);
		address.sin_port = htons(atoi(argv[2]));
		address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		sqes->addr = (uintptr_t)&address;
		sqes->off = sizeof(address);
		expect(submit(), "connect");
	}
	succeed();
	return 0;
}
