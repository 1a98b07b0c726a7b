UPDATE aside_listening SET alive = clock_timestamp()
    WHERE alive < clock_timestamp() - interval '20 s'
