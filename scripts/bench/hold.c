/* A process that does nothing: says so, and ends when its standard input does. */
#include <unistd.h>

int main(void)
{
	char c;

	if (write(1, "holding\n", 8) != 8)
		return 1;
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
