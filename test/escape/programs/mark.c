/* Makes the file that its first argument names, the proof that it ran, and stays a while for a late signal. */
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = argc > 1 ? open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;

	if (fd < 0)
		return 1;
	close(fd);
	sleep(3);
	return 0;
}
