# cmake -DFILE=text -DNAME=SYMBOL -DOUT=script.c -P script.cmake: a text as a C string.
file(READ ${FILE} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE ${OUT} "extern const char ${NAME}[];\nconst char ${NAME}[] = {${bytes}0};\n")
