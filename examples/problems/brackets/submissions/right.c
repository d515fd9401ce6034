#include <stdio.h>
#include <string.h>

static int balanced(const char *word)
{
    static const char open[] = "([{", close[] = ")]}";
    char stack[1024];
    int depth = 0;
    for (; *word; word++) {
        const char *kind = strchr(close, *word);
        if (!kind)
            stack[depth++] = *word;
        else if (depth == 0 || stack[--depth] != open[kind - close])
            return 0;
    }
    return depth == 0;
}

int main(void)
{
    int n;
    char word[1024];
    scanf("%d", &n);
    while (n-- > 0 && scanf("%1023s", word) == 1)
        puts(balanced(word) ? "yes" : "no");
    return 0;
}
