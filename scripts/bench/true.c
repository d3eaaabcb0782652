/* Succeeds; linked statically, so that a start of it is a start and not the work of a dynamic loader. */
int main(void)
{
	return 0;
}
