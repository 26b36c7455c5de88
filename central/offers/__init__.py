"""Bargains of the shops (M8), and offers picked from them for each person from what they bought (M9).

purchases   what was bought, as units tell it                bargains   what shops register; anybody looks it up
goods       what goods are called                            taste      what one person bought, again and again
alike       which goods go together, from all who agreed     picker     from both to the offers of one person
run         everybody in turn, once for each period          told       what a kiosk and a page show of it
addresses   where somebody can be reached                    outbox     the mails that wait
letter      what a mail says                                 post       the mail server
paper       letters for the printer, as PDF                  board      how runs and mails stand, for the operator
"""
