/* Is no C. */
int main(void)
{
    return sum(;
}
