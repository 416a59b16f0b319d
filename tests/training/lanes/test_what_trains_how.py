from tests.helpers.what_trains_how import PATH, text


def test_the_page_says_what_the_walks_test():
    assert PATH.read_text() == text(), "write it anew: python -m tests.helpers.what_trains_how"
