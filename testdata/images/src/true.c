/* The shortest program: for loops of short-lived processes. */
int main(void) { return 0; }
