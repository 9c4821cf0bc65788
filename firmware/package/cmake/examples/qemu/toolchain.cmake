# @cpu@, by @compiler@ from PATH.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR @cpu@)
set(CMAKE_C_COMPILER @compiler@)
set(CMAKE_C_FLAGS_INIT "@cpu_flags@")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
