/* FK_ASSERT: for states that only a mistake of our own can bring about, never for input. */
#ifndef FK_BASE_ASSERT_H
#define FK_BASE_ASSERT_H

_Noreturn void fk_assert_failed(const char *file, int line); /* the port's, see port.h */

#define FK_ASSERT(condition) ((condition) ? (void)0 : fk_assert_failed(__FILE__, __LINE__))

#endif
