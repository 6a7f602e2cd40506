/* For nghttp2: an assertion tells file and line, as ours do (base/assert.h). The C library's would
 * also carry its expression and function, 4.8 KB of text that ends in __assert_func() of
 * ports/board/libc.c, unread. As everywhere, assert.h may be included again, and has no guard.
 */
#undef assert
#define assert(condition) ((condition) ? (void)0 : __assert_func(__FILE__, __LINE__, 0, 0))

#ifndef FK_BOARD_ASSERT_H
#define FK_BOARD_ASSERT_H

_Noreturn void __assert_func(const char *file, int line, const char *function,
                             const char *expression);

#endif
